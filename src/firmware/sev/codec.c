/* SPDX-License-Identifier: BSD-2-Clause */
/* Command buffers by their fields (commands.def), and the guest's sealed messages: used by both
 * sides of each. */
#include "firmware/sev/internal.h"
#include "spdm/crypto.h"

static const struct { uint16_t number; const char *name, *fields; } commands[] = {
#define SEV_COMMAND(id, number, name, fields) { number, name, fields },
#include "firmware/sev/commands.def"
#undef SEV_COMMAND
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))
#define HEADER 8u

static const struct { uint16_t code; const char *name; } statuses[] = {
#define SEV_STATUS(id, code, name) { code, name },
#include "firmware/sev/status.def"
#undef SEV_STATUS
};
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

/* Where each field is in struct sev_command, its bytes, and how many times it stands there. */
static const struct field { char letter; uint8_t size, count; uint16_t offset; } fields_of[] = {
	{ 'f', 4, 1, offsetof(struct sev_command, flags) },
	{ 'S', 8, 4, offsetof(struct sev_command, spdm) },
	{ 'D', 8, 1, offsetof(struct sev_command, dev_ctx) },
	{ 'T', 8, 1, offsetof(struct sev_command, tdi_ctx) },
	{ 'g', 8, 1, offsetof(struct sev_command, gctx) },
	{ 'i', 8, 1, offsetof(struct sev_command, in) },
	{ 'o', 8, 1, offsetof(struct sev_command, out) },
	{ 'b', 2, 1, offsetof(struct sev_command, rid) },
	{ 'B', 2, 1, offsetof(struct sev_command, guest_rid) },
	{ 'r', 2, 1, offsetof(struct sev_command, root_port) },
	{ 'm', 1, 1, offsetof(struct sev_command, segment) },
	{ 'c', 1, 1, offsetof(struct sev_command, tc_mask) },
	{ 's', 1, 1, offsetof(struct sev_command, slot) },
	{ 'I', 1, 8, offsetof(struct sev_command, streams) },
	{ 'l', 2, 1, offsetof(struct sev_command, lock_flags) },
	{ 'R', 2, 1, offsetof(struct sev_command, run_flags) },
	{ 'a', 4, 1, offsetof(struct sev_command, asid) },
	{ 'p', 4, 1, offsetof(struct sev_command, page_type) },
};

static const char *fields_by_number(unsigned int command)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].number == command)
			return commands[i].fields;
	return NULL;
}

static const struct field *field_of(char letter)
{
	for (size_t i = 0; i < sizeof(fields_of) / sizeof(fields_of[0]); i++)
		if (fields_of[i].letter == letter)
			return &fields_of[i];
	return NULL;
}

static size_t field_length(const struct field *field)
{
	return ((size_t)field->size * field->count + 7) / 8 * 8;
}

const char *sev_command_name(unsigned int command)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].number == command)
			return commands[i].name;
	return NULL;
}

int sev_command_by_name(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].number;
	return -EINVAL;
}

const char *sev_status_name(unsigned int status)
{
	for (size_t i = 0; i < STATUSES; i++)
		if (statuses[i].code == status)
			return statuses[i].name;
	return "?";
}

int sev_status_by_name(const char *name)
{
	for (size_t i = 0; i < STATUSES; i++)
		if (!strcmp(statuses[i].name, name))
			return statuses[i].code;
	return -EINVAL;
}

bool sev_command_has(unsigned int command, char field)
{
	const char *fields = fields_by_number(command);

	return fields && strchr(fields, field);
}

size_t sev_command_length(unsigned int command)
{
	const char *fields = fields_by_number(command);
	size_t len = HEADER;

	for (; fields && *fields; fields++)
		len += field_length(field_of(*fields));
	return fields ? len : 0;
}

size_t sev_command_encode(unsigned int command, const struct sev_command *command_fields,
			  uint8_t out[SEV_BUFFER_MAX])
{
	const char *fields = fields_by_number(command);
	struct writer w = writer_of(out, SEV_BUFFER_MAX);

	if (!fields)
		return 0;
	put_le32(&w, (uint32_t)sev_command_length(command));
	put_le32(&w, 0);
	for (; *fields; fields++) {
		const struct field *field = field_of(*fields);

		/* the host and its PSP are little-endian, as is the machine of this model */
		put_bytes(&w, (const uint8_t *)command_fields + field->offset,
			  (size_t)field->size * field->count);
		put_space(&w, field_length(field) - (size_t)field->size * field->count);
	}
	return w.at;
}

bool sev_command_decode(unsigned int command, const uint8_t *buffer, size_t len,
			struct sev_command *command_fields)
{
	const char *fields = fields_by_number(command);
	struct reader r = reader_of(buffer, len);

	memset(command_fields, 0, sizeof(*command_fields));
	if (!fields || get_le32(&r) != sev_command_length(command) || get_le32(&r))
		return false;
	for (; *fields; fields++) {
		const struct field *field = field_of(*fields);

		get_copy(&r, (uint8_t *)command_fields + field->offset,
			 (size_t)field->size * field->count);
		get_bytes(&r, field_length(field) - (size_t)field->size * field->count);
	}
	return !r.bad;
}

/* -- messages -------------------------------------------------------------------------------- */

#define ALGORITHM_AES_256_GCM 1u
#define HEADER_VERSION 1u

static void nonce_of(uint64_t sequence, uint8_t iv[SPDM_IV])
{
	struct writer w = writer_of(iv, SPDM_IV);

	put_le64(&w, sequence);
	put_le32(&w, 0);
}

int sev_message_seal(const uint8_t key[32], uint64_t sequence, uint8_t type, const uint8_t *payload,
		     size_t len, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	uint8_t iv[SPDM_IV];

	put_space(&w, 32);
	put_le64(&w, sequence);
	put_space(&w, 8);
	put_u8(&w, ALGORITHM_AES_256_GCM);
	put_u8(&w, HEADER_VERSION);
	put_le16(&w, SEV_MESSAGE_HEADER);
	put_u8(&w, type);
	put_u8(&w, 1);
	put_le16(&w, (uint16_t)len);
	put_space(&w, 4 + 1 + 35);
	put_space(&w, len);
	if (w.bad || len > SEV_MESSAGE_MAX)
		return -EMSGSIZE;
	nonce_of(sequence, iv);
	if (spdm_gcm_seal(key, iv, out + SEV_MESSAGE_AAD, SEV_MESSAGE_HEADER - SEV_MESSAGE_AAD,
			  payload, len, out + SEV_MESSAGE_HEADER, out))
		return -EIO;
	return (int)w.at;
}

int sev_message_open(const uint8_t key[32], uint64_t sequence, const uint8_t *message, size_t len,
		     uint8_t *type, uint8_t *payload, size_t cap)
{
	struct reader r = reader_of(message, len);
	uint8_t iv[SPDM_IV], algorithm, version;
	uint64_t said;
	uint16_t header, size;
	int rc;

	get_bytes(&r, 32);
	said = get_le64(&r);
	get_bytes(&r, 8);
	algorithm = get_u8(&r);
	version = get_u8(&r);
	header = get_le16(&r);
	*type = get_u8(&r);
	get_u8(&r);
	size = get_le16(&r);
	if (r.bad || algorithm != ALGORITHM_AES_256_GCM || version != HEADER_VERSION)
		return -EPROTO;
	if (said != sequence || header != SEV_MESSAGE_HEADER || size > cap ||
	    size > len - SEV_MESSAGE_HEADER)
		return -EPROTO;
	nonce_of(sequence, iv);
	rc = spdm_gcm_open(key, iv, message + SEV_MESSAGE_AAD, SEV_MESSAGE_HEADER - SEV_MESSAGE_AAD,
			   message + SEV_MESSAGE_HEADER, size, message, payload);
	return rc ? rc : size;
}
