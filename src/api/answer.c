/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"

void pawl__answer_body(struct pawl_answer *a, struct str body)
{
	a->body = malloc(body.len + 1);
	a->body_len = a->body == NULL ? 0 : body.len;
	if (a->body == NULL)
		return;
	if (body.len > 0)
		memcpy(a->body, body.ptr, body.len);
	a->body[body.len] = '\0';
}

static void json_freep(json_t **json)
{
	json_decref(*json);
}

static json_t *answer_parse(const struct pawl_answer *a)
{
	return a->body_len == 0 ? NULL : json_loadb(a->body, a->body_len, JSON_DECODE_ANY, NULL);
}

enum pawl_status pawl_answer_code(const struct pawl_answer *a)
{
	PRE(a != NULL);
	return a->code;
}

int pawl_answer_op(const struct pawl_answer *a)
{
	PAWL_CLEANUP(json_freep) json_t *body = NULL;
	const json_t *op;

	PRE(a != NULL);
	if (a->code == PAWL_OK || a->op >= 0)
		return a->op;
	/* A remembered answer has it in its text alone. */
	body = answer_parse(a);
	op = json_object_get(body, "op");
	return json_is_integer(op) ? (int)json_integer_value(op) : -1;
}

bool pawl_answer_replayed(const struct pawl_answer *a)
{
	PRE(a != NULL);
	return a->replayed;
}

int64_t pawl_answer_revision(const struct pawl_answer *a)
{
	PRE(a != NULL);
	return a->revision;
}

int64_t pawl_answer_etag(const struct pawl_answer *a)
{
	PRE(a != NULL);
	return a->etag;
}

int pawl_answer_http(const struct pawl_answer *a)
{
	PRE(a != NULL);
	return a->http;
}

const char *pawl_answer_json(const struct pawl_answer *a, size_t *ret_len)
{
	PRE(a != NULL);
	if (ret_len != NULL)
		*ret_len = a->body_len;
	return a->body;
}

/* The member that carries the id of what was created: resources call it "id". */
static const json_t *result_id(const json_t *result)
{
	static const char *const names[] = { "id", "event", "job" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const json_t *id = json_object_get(result, names[i]);

		if (json_is_string(id) && json_string_length(id) == PAWL_ID_TEXT_SIZE - 1)
			return id;
	}
	return NULL;
}

enum pawl_status pawl_answer_id(const struct pawl_answer *a, unsigned op,
                                char ret[PAWL_ID_TEXT_SIZE])
{
	PAWL_CLEANUP(json_freep) json_t *body = NULL;
	const json_t *result, *id;

	PRE(a != NULL && ret != NULL);
	if (a->code != PAWL_OK)
		return PAWL_E_NOT_FOUND;
	if (a->body == NULL)
		return PAWL_E_NOMEM;
	body = answer_parse(a);
	result = json_array_get(json_object_get(body, "results"), op);
	if (result == NULL && op == 0)
		result = body; /* the resource of an operation that stands alone */
	id = result_id(result);
	if (id == NULL)
		return PAWL_E_NOT_FOUND;
	memcpy(ret, json_string_value(id), PAWL_ID_TEXT_SIZE);
	return PAWL_OK;
}

enum pawl_status pawl__answer_copy(const struct pawl_answer *a, struct str body,
                                   struct pawl_answer **ret, struct pawl_error *err)
{
	struct pawl_answer *copy = malloc(sizeof(*copy));

	if (copy != NULL) {
		*copy = *a;
		pawl__answer_body(copy, body);
	}
	if (copy == NULL || copy->body == NULL) {
		free(copy);
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for an answer");
	}
	*ret = copy;
	return PAWL_OK;
}

enum pawl_status pawl_answer_dup(const struct pawl_answer *a, struct pawl_answer **ret,
                                 struct pawl_error *err)
{
	PRE(a != NULL && ret != NULL);
	return pawl__answer_copy(a, (struct str){ a->body, a->body_len }, ret, err);
}

void pawl_answer_free(struct pawl_answer *a)
{
	if (a == NULL)
		return;
	free(a->body);
	free(a);
}
