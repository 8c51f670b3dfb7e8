/* SPDX-License-Identifier: BSD-2-Clause */
/* R1.1: the sequence chart, drawn by hand beforehand: lanes, arrows, steps, repeats, refusals, width. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chart/chart.h"
#include "image/image.h"

static char *drawn;
static size_t drawn_len;

static int up(void **state)
{
	(void)state;
	assert_int_equal(image_create(NULL), 0);
	image_enter();
	assert_int_equal(trace_power_on(256), 0);
	return 0;
}

static int down(void **state)
{
	(void)state;
	image_leave();
	image_detach();
	free(drawn);
	drawn = NULL;
	return 0;
}

static const char *title(uint32_t step)
{
	static const char *const titles[] = { NULL, "connect", "nothing is seen of this one",
		"a title that is longer than a line of the chart can ever be, so that the end of it, "
		"where nothing new is said, is left out" };

	return step < sizeof(titles) / sizeof(titles[0]) ? titles[step] : NULL;
}

static const char *draw(struct chart_options options)
{
	FILE *out;

	free(drawn);
	out = open_memstream(&drawn, &drawn_len);
	assert_non_null(out);
	options.step_title = title;
	assert_int_equal(chart_text(out, &options), 0);
	fclose(out);
	return drawn;
}

static void say(uint32_t step, enum lane from, enum lane to, const char *name, int64_t result)
{
	struct trace_call call;

	*image_counter(IMAGE_COUNTER_STEP) = step;
	call = TRACE_CALL(from, to, name, A("rid", 0x101));
	trace_return(&call, result, NULL);
}

static void R1_1_as_drawn_by_hand(void **state)
{
	(void)state;
	say(1, LANE_ADMIN, LANE_TSM, "connect", 0);
	say(1, LANE_VMM, LANE_KVM, "RUN", 0);
	say(1, LANE_VMM, LANE_KVM, "RUN", 0);
	say(1, LANE_TSM, LANE_FIRMWARE, "TDH.SPDM.CREATE", 0);
	TRACE_EVENT(LANE_KVM, LANE_GUEST, "interrupt", A("gsi", 1));
	TRACE_STATE(LANE_IOMMUFD, "bind", A("to", 3));
	say(3, LANE_VMM, LANE_VFIO, "read", -EBUSY);
	assert_string_equal(draw((struct chart_options){ .columns = 80 }),
		"      Guest  GstTSM VMM    VFIO   IOMMU  hstTSM KVM   \n"
		"  1  connect .........................................\n"
		"      ------------------------------------>|      |   connect rid=0x101\n"
		"        |      |      |-------------------------->|   RUN rid=0x101 (x2)\n"
		"        |<~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~|   interrupt gsi=1\n"
		"        |      |      |      |      *      |      |   bind to=3\n"
		"  2  nothing is seen of this one .....................\n"
		"  3  a title that is longer than a line of the chart can ever be, so that the e \n"
		"        |      |      |----->|      |      |      |   read rid=0x101 = EBUSY !!\n"
		"      Guest  GstTSM VMM    VFIO   IOMMU  hstTSM KVM   \n");
}

static void R1_1_firmware_and_device_on_request(void **state)
{
	(void)state;
	say(1, LANE_TSM, LANE_FIRMWARE, "TDH.SPDM.CREATE", 0);
	say(1, LANE_HARDWARE, LANE_DEVICE, "DOE", 0);
	assert_non_null(strstr(draw((struct chart_options){ .all_lanes = true }),
		"        |      |      |      |      |      |------------>|      |   TDH.SPDM.CREATE rid=0x101\n"));
	assert_non_null(strstr(drawn, " hstTSM KVM    Firmw. Device"));
	assert_null(strstr(draw((struct chart_options){ 0 }), "TDH"));
}

static void R1_1_no_line_is_wider_than_asked(void **state)
{
	static const unsigned int widths[] = { 0, 80, 100, 140 };

	(void)state;
	for (uint32_t step = 1; step <= 3; step++)
		for (enum lane to = 0; to < LANE_MAX; to++) {
			struct trace_call call = TRACE_CALL(LANE_VMM, to, "A_NAME_AS_LONG_AS_THEY_COME_0123456789",
				A("argument", UINT64_MAX), A("another", UINT64_MAX), A("third", UINT64_MAX));

			*image_counter(IMAGE_COUNTER_STEP) = step;
			trace_return(&call, -EOPNOTSUPP, NULL);
		}
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
		for (unsigned int all = 0; all < 2; all++) {
			unsigned int most = widths[i] ? widths[i] : 100;

			draw((struct chart_options){ .columns = widths[i], .legend = most >= 100,
						     .all_lanes = all });
			for (char *line = strtok(drawn, "\n"); line; line = strtok(NULL, "\n"))
				if (strlen(line) > most)
					fail_msg("%zu columns of %u: %s", strlen(line), most, line);
		}
}

static void R1_1_the_legend_names_every_lane(void **state)
{
	static const char *const words[] = { "Guest ", "GstTSM ", "VMM ", "VFIO ", "IOMMU ", "hstTSM ",
		"KVM ", "Firmw. ", "Device ", "TDI:", "T=1:", "-->", "~~>", "*", "!!" };
	char all[2048] = "";

	(void)state;
	for (unsigned int i = 0; chart_legend(i); i++)
		strncat(all, chart_legend(i), sizeof(all) - strlen(all) - 1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strstr(all, words[i]))
			fail_msg("the legend does not say what %s is", words[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(R1_1_as_drawn_by_hand, up, down),
		cmocka_unit_test_setup_teardown(R1_1_firmware_and_device_on_request, up, down),
		cmocka_unit_test_setup_teardown(R1_1_no_line_is_wider_than_asked, up, down),
		cmocka_unit_test_setup_teardown(R1_1_the_legend_names_every_lane, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
