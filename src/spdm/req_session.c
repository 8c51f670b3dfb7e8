/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said inside a session: VENDOR_DEFINED, HEARTBEAT, KEY_UPDATE, END_SESSION. */
#include "spdm/requester.h"

#include <errno.h>

int req_vendor_build(struct spdm_requester *ctx, struct writer *w)
{
	req_header(ctx, w, SPDM_VENDOR_DEFINED_REQUEST, 0, 0);
	put_le16(w, SPDM_STANDARD_PCISIG);
	put_u8(w, 2); /* bytes of the vendor id */
	put_le16(w, SPDM_VENDOR_PCISIG);
	put_le16(w, (uint16_t)(1 + ctx->message_len));
	put_u8(w, ctx->vendor_protocol);
	put_bytes(w, ctx->message, ctx->message_len);
	ctx->message_len = 0;
	return 0;
}

int req_vendor_take(struct spdm_requester *ctx, struct req_answer *a)
{
	uint16_t standard = get_le16(&a->r), vendor, payload;
	uint8_t vendor_len = get_u8(&a->r), protocol;
	const uint8_t *body;

	vendor = get_le16(&a->r);
	payload = get_le16(&a->r);
	protocol = get_u8(&a->r);
	body = get_bytes(&a->r, payload ? payload - 1u : 0);
	if (!req_answer_end(a) || !payload)
		return -EBADMSG;
	if (standard != SPDM_STANDARD_PCISIG || vendor_len != 2 || vendor != SPDM_VENDOR_PCISIG ||
		protocol != ctx->vendor_protocol)
		return -EPROTO;
	ctx->message_len = payload - 1u;
	memcpy(ctx->message, body, ctx->message_len);
	return REQ_DONE;
}

int req_heartbeat_build(struct spdm_requester *ctx, struct writer *w)
{
	req_header(ctx, w, SPDM_HEARTBEAT, 0, 0);
	return 0;
}

int req_heartbeat_take(struct spdm_requester *ctx, struct req_answer *a)
{
	(void)ctx;
	return req_answer_end(a) ? REQ_DONE : -EBADMSG;
}

/* The device answers UpdateAllKeys with its new key already. */
int req_key_update_build(struct spdm_requester *ctx, struct writer *w)
{
	struct spdm_session *s = &ctx->session;
	int rc = spdm_random(&ctx->update_tag, sizeof(ctx->update_tag));

	if (rc)
		return rc;
	req_header(ctx, w, SPDM_KEY_UPDATE, SPDM_KEY_UPDATE_ALL, ctx->update_tag);
	s->old = s->keys[SPDM_SIDE_RESPONDER];
	return spdm_session_update(s, SPDM_SIDE_RESPONDER);
}

int req_key_update_take(struct spdm_requester *ctx, struct req_answer *a)
{
	struct spdm_session *s = &ctx->session;
	int rc;

	spdm_cleanse(&s->old, sizeof(s->old));
	if (!req_answer_end(a))
		return -EBADMSG;
	if (a->param1 != SPDM_KEY_UPDATE_ALL || a->param2 != ctx->update_tag)
		return -EPROTO;
	rc = spdm_session_update(s, SPDM_SIDE_REQUESTER);
	return rc ? rc : REQ_KEY_VERIFY;
}

int req_key_verify_build(struct spdm_requester *ctx, struct writer *w)
{
	int rc = spdm_random(&ctx->update_tag, sizeof(ctx->update_tag));

	req_header(ctx, w, SPDM_KEY_UPDATE, SPDM_KEY_UPDATE_VERIFY, ctx->update_tag);
	return rc;
}

int req_key_verify_take(struct spdm_requester *ctx, struct req_answer *a)
{
	if (!req_answer_end(a))
		return -EBADMSG;
	if (a->param1 != SPDM_KEY_UPDATE_VERIFY || a->param2 != ctx->update_tag)
		return -EPROTO;
	return REQ_DONE;
}

int req_end_build(struct spdm_requester *ctx, struct writer *w)
{
	req_header(ctx, w, SPDM_END_SESSION, 0, 0);
	return 0;
}

int req_end_take(struct spdm_requester *ctx, struct req_answer *a)
{
	if (!req_answer_end(a))
		return -EBADMSG;
	spdm_session_end(&ctx->session);
	return REQ_DONE;
}
