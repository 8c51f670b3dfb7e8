/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands where in the machine, as a user writes it: --device, and the file of --topology. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/topology.h"

#define FILE_MAX_BYTES (1u << 20)

struct cause { char *text; size_t len; };

static int wrong(const struct cause *cause, const char *what, const char *value)
{
	snprintf(cause->text, cause->len, what, value);
	return -EINVAL;
}

static int number(const struct cause *cause, const char *text, uint8_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value > UINT8_MAX)
		return wrong(cause, "%s is no number of VFs", text);
	*out = (uint8_t)value;
	return 0;
}

static int bdf(const struct cause *cause, const char *text, uint16_t *rid)
{
	unsigned int bus;
	char again[13];

	if (sscanf(text, "0000:%2x:00.0", &bus) == 1) {
		snprintf(again, sizeof(again), "0000:%02x:00.0", bus);
		if (!strcmp(again, text) && bus && bus <= TOPOLOGY_DEVICES) {
			*rid = (uint16_t)(bus << 8);
			return 0;
		}
	}
	return wrong(cause, "%s: a device stands at 0000:BUS:00.0, BUS from 01 to 1f", text);
}

static int property(const struct cause *cause, struct device_place *place, const char *key,
	const char *value)
{
	int model;

	if (!strcmp(key, "bdf"))
		return bdf(cause, value, &place->rid);
	if (!strcmp(key, "vfs"))
		return number(cause, value, &place->vfs);
	if (!strcmp(key, "numvfs"))
		return number(cause, value, &place->numvfs);
	if (strcmp(key, "model"))
		return wrong(cause, "a device has model, bdf, vfs and numvfs, no %s", key);
	model = device_model_by_name(value);
	if (model < 0)
		return wrong(cause, "the models are engine and ioat, not %s", value);
	place->model = (uint8_t)model;
	return 0;
}

static int place_add(const struct cause *cause, struct topology *topology,
	const struct device_place *place)
{
	if (!place->model || !place->rid)
		return wrong(cause, "a device needs %s", "model and bdf");
	if (place->numvfs > place->vfs)
		return wrong(cause, "%s is more than vfs", "numvfs");
	if (topology->count == TOPOLOGY_DEVICES)
		return wrong(cause, "more devices than %s", "31");
	for (unsigned int i = 0; i < topology->count; i++)
		if (topology->device[i].rid == place->rid)
			return wrong(cause, "two devices at the same %s", "bdf");
	topology->device[topology->count++] = *place;
	return 0;
}

int topology_device(struct topology *topology, const char *text, char *error, size_t len)
{
	const struct cause cause = {error, len};
	struct device_place place = {0};
	char copy[128], *next = copy, *key;
	int rc;

	if (strlen(text) >= sizeof(copy))
		return wrong(&cause, "%s", "too long");
	strcpy(copy, text);
	while ((key = strsep(&next, ","))) {
		char *value = strchr(key, '=');

		if (!value)
			return wrong(&cause, "%s: KEY=VALUE is wanted", key);
		*value = '\0';
		rc = property(&cause, &place, key, value + 1);
		if (rc)
			return rc;
	}
	return place_add(&cause, topology, &place);
}

static int json_device(const struct cause *cause, struct topology *topology, const cJSON *object)
{
	struct device_place place = {0};
	const cJSON *member;
	char text[16];
	int rc;

	if (!cJSON_IsObject(object))
		return wrong(cause, "%s is no object", "a device");
	cJSON_ArrayForEach(member, object)
	{
		snprintf(text, sizeof(text), "%.0f", cJSON_GetNumberValue(member));
		if (!cJSON_IsNumber(member) && !cJSON_IsString(member))
			return wrong(cause, "%s is neither text nor a number", member->string);
		rc = property(cause, &place, member->string,
			cJSON_IsString(member) ? member->valuestring : text);
		if (rc)
			return rc;
	}
	return place_add(cause, topology, &place);
}

static int json_read(const struct cause *cause, struct topology *topology, const char *text)
{
	cJSON *json = cJSON_Parse(text);
	const cJSON *devices = cJSON_GetObjectItemCaseSensitive(json, "devices"), *device;
	int rc = cJSON_IsArray(devices) ? 0 : wrong(cause, "{\"devices\": [...]} is wanted%s",
						      json ? "" : ", and this is no JSON");

	cJSON_ArrayForEach(device, devices)
		rc = rc ? rc : json_device(cause, topology, device);
	cJSON_Delete(json);
	return rc;
}

int topology_file(struct topology *topology, const char *path, char *error, size_t len)
{
	const struct cause cause = {error, len};
	FILE *file = fopen(path, "re");
	char *text;
	size_t n;
	int rc;

	if (!file)
		return wrong(&cause, "cannot be read: %s", strerror(errno));
	text = malloc(FILE_MAX_BYTES + 1);
	n = text ? fread(text, 1, FILE_MAX_BYTES, file) : 0;
	fclose(file);
	if (!text)
		return -ENOMEM;
	text[n] = '\0';
	rc = json_read(&cause, topology, text);
	free(text);
	return rc;
}
