/* SPDX-License-Identifier: BSD-2-Clause */
/* Images in files: what is saved comes back; what is damaged is refused and never followed. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "churn.h"
#include "image/arena.h"

/* The head of a file: eight words, the last but one a hash of what follows, the last of itself. */
#define HEAD_SIZE 56u
#define HEAD_LAYOUT 16u
#define HEAD_PAGES 32u
#define HEAD_CONTENT 40u
#define HEAD_CHECKSUM 48u

static char path[] = "/tmp/swtio-store-XXXXXX";
static uint8_t *good, *bad;
static size_t good_size;

static void file_read(void)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0 && !fstat(fd, &st));
	good_size = (size_t)st.st_size;
	good = realloc(good, good_size);
	bad = realloc(bad, good_size + IMAGE_PAGE);
	assert_int_equal(read(fd, good, good_size), good_size);
	close(fd);
	memcpy(bad, good, good_size);
	memset(bad + good_size, 0, IMAGE_PAGE);
}

static int file_load(const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600), rc;

	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
	rc = image_load(path);
	if (rc)
		assert_false(image_present());
	return rc;
}

static void hash_put(size_t at, size_t from, size_t len)
{
	uint64_t hash = XXH3_64bits(bad + from, len);

	memcpy(bad + at, &hash, sizeof(hash));
}

/* As somebody does who knows the format. */
static int file_load_rehashed(size_t len)
{
	hash_put(HEAD_CONTENT, HEAD_SIZE, len - HEAD_SIZE);
	hash_put(HEAD_CHECKSUM, 0, HEAD_CHECKSUM);
	return file_load(bad, len);
}

static int setup(void **state)
{
	struct image_opts opts = { .size = sizeof(opts), .seed = 5 };
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	churn_seed = 4;
	if (image_create(&opts) || image_call(churn_start, NULL))
		return -1;
	for (unsigned int i = 0; i < 60; i++)
		image_call(churn_call, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	image_detach();
	unlink(path);
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	return 0;
}

static void R7_3_a_loaded_image_goes_on(void **state)
{
	uint8_t expected[32], drawn[32];
	uint64_t was;

	(void)state;
	image_clock_advance(99);
	was = image_hash();
	assert_int_equal(image_save(path), 0);
	image_random(expected, sizeof(expected));
	assert_int_equal(image_load(path), -EBUSY);
	image_detach();
	assert_int_equal(image_load(path), 0);
	assert_int_equal(image_hash(), was);
	assert_int_equal(image_clock(), 99);
	churn_check();
	image_random(drawn, sizeof(drawn));
	assert_memory_equal(drawn, expected, sizeof(drawn));
	for (unsigned int i = 0; i < 300; i++)
		image_call(churn_call, NULL);
	churn_check();
	assert_int_equal(image_call(churn_end, NULL), 0);
	churn_check_empty();
}

/* Under a snapshot freed bulk memory lives on; the file has no snapshot, and neither. */
static void R7_3_saved_under_a_snapshot(void **state)
{
	uint64_t was;

	(void)state;
	assert_int_not_equal(image_snapshot(), 0);
	for (unsigned int i = 0; i < 60; i++)
		image_call(churn_call, NULL);
	was = image_hash();
	assert_int_equal(image_save(path), 0);
	image_detach();
	assert_int_equal(image_load(path), 0);
	assert_int_equal(image_hash(), was);
	churn_check();
}

static long huge(void *arg)
{
	const uint64_t **ram = arg;

	*ram = image_bulk_alloc(600 << 20, IMAGE_TYPE_RAM);
	return *ram ? 0 : -ENOMEM;
}

static void a_file_holds_what_was_written(void **state)
{
	const uint64_t *ram;
	struct stat st;

	(void)state;
	assert_int_equal(image_call(huge, &ram), 0);
	*(uint64_t *)image_bulk_write(ram + (70 << 20), 8) = 42;
	assert_int_equal(image_save(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1, 64 << 20);
	image_detach();
	assert_int_equal(image_load(path), 0);
	assert_int_equal(ram[70 << 20], 42);
}

static void refused_files(void **state)
{
	char here[] = "/";

	(void)state;
	assert_int_equal(image_save("/nonexistent/file"), -ENOENT);
	assert_int_equal(image_save(path), 0);
	image_detach();
	file_read();
	assert_int_equal(image_load("/nonexistent/file"), -ENOENT);
	assert_int_equal(image_load(here), -EISDIR);
	/* Cut off: in the head, in the index, in a page, at a page, and too long. */
	assert_int_equal(file_load(good, 0), -EUCLEAN);
	for (size_t len = 1; len < good_size; len += len < HEAD_SIZE ? 1 : 7919)
		assert_int_equal(file_load(good, len), -EUCLEAN);
	assert_int_equal(file_load(bad, good_size + 1), -EUCLEAN);
	assert_int_equal(file_load_rehashed(good_size - IMAGE_PAGE), -EUCLEAN);
}

/* Every bit of the head, and of identity and journal state behind it. */
static void flipped_bits_are_refused(void **state)
{
	uint64_t pages;
	size_t data;

	(void)state;
	assert_int_equal(image_save(path), 0);
	image_detach();
	file_read();
	memcpy(&pages, good + HEAD_PAGES, sizeof(pages));
	data = HEAD_SIZE + pages * 8;
	for (size_t at = 0; at < HEAD_SIZE; at++) {
		int expected = at < HEAD_LAYOUT + 8 ? -EPROTO : -EUCLEAN;

		bad[at] ^= (uint8_t)(1u << (at % 8));
		assert_int_equal(file_load(bad, good_size), expected);
		bad[at] = good[at];
	}
	for (size_t at = 0; at < sizeof(struct image_ident); at++) {
		int rc;

		bad[data + at] ^= (uint8_t)(1u << (at % 8));
		assert_int_equal(file_load(bad, good_size), -EUCLEAN);
		rc = file_load_rehashed(good_size);
		assert_true(rc == -EUCLEAN || rc == -EPROTO);
		bad[data + at] = good[data + at];
	}
}

static void layout_of_another_build_is_refused(void **state)
{
	(void)state;
	assert_int_equal(image_save(path), 0);
	image_detach();
	file_read();
	bad[HEAD_LAYOUT] ^= 1;
	assert_int_equal(file_load_rehashed(good_size), -EPROTO);
	bad[HEAD_LAYOUT] ^= 1;
	assert_int_equal(file_load_rehashed(good_size), 0);
}

/* Header and tables, changed, with right hashes. */
static void hostile_files_are_not_followed(void **state)
{
	unsigned int refused = 0, rounds = 400;
	uint64_t pages;

	(void)state;
	assert_int_equal(image_save(path), 0);
	image_detach();
	file_read();
	memcpy(&pages, good + HEAD_PAGES, sizeof(pages));
	for (unsigned int round = 0; round < rounds; round++) {
		unsigned int changes = (unsigned int)churn_random(3) + 1;
		size_t index = HEAD_SIZE + pages * 8,
		       tables = index + (pages < 40 ? pages : 40) * IMAGE_PAGE;
		size_t from = churn_random(3) ? index + IMAGE_PAGE : HEAD_SIZE;
		int rc;

		while (changes--) {
			uint64_t value =
				churn_random(2) ? churn_random(256) : ~churn_random(1u << 30);
			size_t at = from + churn_random((tables - from) / 8) * 8;

			memcpy(bad + at, &value, churn_random(8) + 1);
		}
		rc = file_load_rehashed(good_size);
		assert_true(!rc || rc == -EUCLEAN || rc == -EPROTO || rc == -ENOMEM);
		refused += rc != 0;
		if (!rc) {
			/* Harmless: then the machinery works on it. */
			assert_image_whole();
			image_hash();
			image_detach();
		}
		memcpy(bad, good, good_size);
	}
	print_message("%u of %u were refused\n", refused, rounds);
	assert_true(refused > rounds / 10);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(R7_3_a_loaded_image_goes_on),
		TEST(R7_3_saved_under_a_snapshot),
		TEST(a_file_holds_what_was_written),
		TEST(refused_files),
		TEST(flipped_bits_are_refused),
		TEST(layout_of_another_build_is_refused),
		TEST(hostile_files_are_not_followed),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	free(good);
	free(bad);
	return rc;
}
