/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo/race.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/rng.h"
#include "net/client.h"
#include "net/load.h"

enum sending { SEND_FIRST, SEND_TWIN, SEND_REPEAT };

#define TAG(buyer, sending) ((uint64_t)(buyer) << 2 | (uint64_t)(sending))
#define TAG_BUYER(tag)      ((uint32_t)((tag) >> 2))
#define TAG_SENDING(tag)    ((enum sending)((tag)&3u))

struct buyer {
	bool repeats, twin; /* what it will do */
	bool waits;         /* a request of its is under way */
	bool answered;
	int status;       /* of the first answer */
	size_t answer_at; /* in race.answers */
	size_t answer_len;
};

struct race {
	const struct race_config *config;
	struct demo_counts *counts;
	struct race_result *result;
	struct http_load *load;
	struct rng rng;
	struct buyer *buyers; /* owned */
	uint64_t *plan;       /* owned; tags of first requests and twins, in their order */
	uint32_t *again;      /* owned; a queue of buyers that will repeat, each once */
	size_t plan_len, plan_at, again_len, again_at;
	int64_t expected, in_flight;
	struct buf answers; /* bodies of first answers, one behind the other */
};

static void race_deinit(struct race *r)
{
	pawl__load_free(r->load);
	pawl__buf_deinit(&r->answers);
	free(r->buyers);
	free(r->plan);
	free(r->again);
}

/* Fisher and Yates: every order is as likely as any other. */
static void shuffle(struct rng *rng, uint32_t *at, uint32_t n)
{
	for (uint32_t i = n; i > 1; i--) {
		const uint32_t j = (uint32_t)pawl__rng_below(rng, i);
		const uint32_t kept = at[i - 1];

		at[i - 1] = at[j];
		at[j] = kept;
	}
}

static enum pawl_status race_plan(struct race *r, struct pawl_error *err)
{
	const uint32_t n = r->config->buyers;
	const uint32_t repeats = (uint32_t)((uint64_t)n * r->config->retries_percent / 100);
	const uint32_t twins = (uint32_t)((uint64_t)n * r->config->twice_percent / 100);

	r->buyers = calloc(n, sizeof(*r->buyers));
	r->plan = calloc((size_t)n + twins, sizeof(*r->plan));
	r->again = calloc(n, sizeof(*r->again));
	if (r->buyers == NULL || r->plan == NULL || r->again == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the buyers");
	for (uint32_t i = 0; i < n; i++)
		r->again[i] = i;
	shuffle(&r->rng, r->again, n);
	for (uint32_t i = 0; i < repeats; i++)
		r->buyers[r->again[i]].repeats = true;
	shuffle(&r->rng, r->again, n);
	for (uint32_t i = 0; i < twins; i++)
		r->buyers[r->again[i]].twin = true;
	shuffle(&r->rng, r->again, n);
	for (uint32_t i = 0; i < n; i++) {
		r->plan[r->plan_len++] = TAG(r->again[i], SEND_FIRST);
		/* Next in the plan, so that it goes out at once, on another connection. */
		if (r->buyers[r->again[i]].twin)
			r->plan[r->plan_len++] = TAG(r->again[i], SEND_TWIN);
	}
	r->counts->buyers = n;
	r->counts->repeats = repeats;
	r->counts->twins = twins;
	r->expected = (int64_t)n + repeats + twins;
	return PAWL_OK;
}

static bool race_pick(struct race *r, uint64_t *ret_tag)
{
	const bool planned = r->plan_at < r->plan_len;

	if (atomic_load(r->config->cancel))
		return false;
	/* Repeats mix with those who come for the first time. */
	if (r->again_at < r->again_len && (!planned || (pawl__rng_next(&r->rng) & 1U) != 0))
		*ret_tag = TAG(r->again[r->again_at++], SEND_REPEAT);
	else if (planned)
		*ret_tag = r->plan[r->plan_at++];
	else
		return false;
	return true;
}

static void put_order(const struct race *r, uint32_t buyer, struct buf *out)
{
	char body_mem[256], fields_mem[256];
	struct http_call call = { .method = STR("POST"), .target = STR("/v1/orders") };
	struct buf body, fields;

	pawl__buf_init_fixed(&body, body_mem, sizeof(body_mem));
	buf_lit(&body, "{\"lines\":[{\"sku\":");
	pawl__buf_json(&body, pawl__str_of(r->config->sku));
	buf_lit(&body, ",\"quantity\":1}],\"customer\":\"buyer ");
	pawl__buf_u64(&body, buyer);
	buf_lit(&body, "\"}");
	pawl__buf_init_fixed(&fields, fields_mem, sizeof(fields_mem));
	buf_lit(&fields, "Content-Type: application/json\r\nIdempotency-Key: demo-");
	buf_str(&fields, pawl__str_of(r->config->sku));
	pawl__buf_putc(&fields, '-');
	pawl__buf_u64(&fields, r->config->seed);
	pawl__buf_putc(&fields, '-');
	pawl__buf_u64(&fields, buyer);
	buf_lit(&fields, "\r\n");
	INVARIANT(!body.overflow && !fields.overflow);
	call.fields = buf_get(&fields);
	call.body = buf_get(&body);
	pawl__client_put_head(out, r->config->peer, &call);
	buf_str(out, call.body);
}

static bool on_next(void *data, struct load_request *request)
{
	struct race *r = data;
	struct buyer *b;

	if (!race_pick(r, &request->tag))
		return false;
	b = &r->buyers[TAG_BUYER(request->tag)];
	put_order(r, TAG_BUYER(request->tag), request->out);
	if (TAG_SENDING(request->tag) == SEND_TWIN && b->waits)
		r->counts->overlaps++;
	b->waits = true;
	r->counts->requests++;
	r->in_flight++;
	if (r->in_flight > r->result->in_flight_max)
		r->result->in_flight_max = r->in_flight;
	return true;
}

static bool is_replay(const struct http_response *response)
{
	struct str value;
	size_t count;

	return pawl__http1_field(&response->fields, STR("Idempotent-Replayed"), &value, &count) &&
	       str_eq(value, STR("true"));
}

/* The first answer of a key is kept, each later one is compared with it. */
static void take_answer(struct race *r, struct buyer *b, const struct http_response *response)
{
	const struct str body = response->body;
	const bool replay = is_replay(response);

	r->counts->answered++;
	r->counts->replayed += replay ? 1 : 0;
	r->counts->effects += response->status == 201 && !replay ? 1 : 0;
	r->result->shed += response->status == 503 ? 1 : 0;
	if (b->answered) {
		const struct str first = { r->answers.data + b->answer_at, b->answer_len };

		r->counts->changed += b->status != response->status || !str_eq(first, body) ? 1 : 0;
		return;
	}
	b->answered = true;
	b->status = response->status;
	b->answer_at = r->answers.len;
	b->answer_len = body.len;
	buf_str(&r->answers, body);
}

static void on_done(void *data, const struct load_result *result)
{
	struct race *r = data;
	const uint32_t buyer = TAG_BUYER(result->tag);
	struct buyer *b = &r->buyers[buyer];

	r->in_flight--;
	b->waits = false;
	if (atomic_load(r->config->cancel))
		pawl__load_stop(r->load);
	if (result->outcome == LOAD_ANSWERED) {
		pawl__hist_put(&r->result->latency_us,
		               (uint64_t)(result->done_us - result->sent_us));
		take_answer(r, b, result->response);
	}
	/* A lost answer is what repeating is for. */
	if (b->repeats && TAG_SENDING(result->tag) == SEND_FIRST)
		r->again[r->again_len++] = buyer;
	pawl__progress_update(r->config->progress, "racing", r->counts->answered, r->expected,
	                      result->done_us);
}

/* The code of a problem document, or the number of an order. */
static void read_answer(struct race *r, const struct buyer *b, int64_t *ret_order)
{
	struct demo_counts *c = r->counts;
	json_t *doc = json_loadb(r->answers.data + b->answer_at, b->answer_len, 0, NULL);
	const char *code = json_string_value(json_object_get(doc, "code"));
	const char *id = json_string_value(json_object_get(doc, "id"));

	if (b->status == 201 && pawl__id_parse(pawl__str_of(id), ret_order)) {
		c->keys_sold++;
	} else if (b->status == 409) {
		c->keys_refused++;
		c->refused_insufficient += code != NULL && strcmp(code, "insufficient") == 0;
	} else {
		c->keys_other++;
	}
	json_decref(doc);
}

static int by_number(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* After the race, so that reading JSON takes nothing from the server under test. */
static enum pawl_status race_count(struct race *r, struct pawl_error *err)
{
	int64_t *orders = calloc(r->config->buyers, sizeof(*orders));

	if (orders == NULL)
		return pawl__error_set(err, PAWL_E_NOMEM, "no memory for the orders");
	for (uint32_t i = 0; i < r->config->buyers; i++) {
		const struct buyer *b = &r->buyers[i];

		if (b->answered)
			read_answer(r, b, &orders[i]);
		else
			r->counts->keys_unanswered++;
	}
	qsort(orders, r->config->buyers, sizeof(*orders), by_number);
	for (uint32_t i = 0; i < r->config->buyers; i++) {
		if (orders[i] != 0 && (i == 0 || orders[i] != orders[i - 1]))
			r->counts->orders++;
	}
	free(orders);
	return PAWL_OK;
}

static enum pawl_status race_load(struct race *r, struct pawl_error *err)
{
	const struct load_config config = {
		.app = { .data = r, .next = on_next, .done = on_done },
		.conns = r->config->conns,
	};
	const struct load_counters *n;
	enum pawl_status st = pawl__load_new(r->config->peer, &config, &r->load, err);
	int64_t begun_us;

	if (st != PAWL_OK)
		return st;
	begun_us = pawl__clock_mono_us();
	st = pawl__load_run(r->load, r->config->timeout_us, err);
	r->result->elapsed_us = pawl__clock_mono_us() - begun_us;
	n = pawl__load_counters(r->load);
	r->result->timeouts = (int64_t)n->timeouts;
	r->result->resets = (int64_t)n->resets;
	r->result->malformed = (int64_t)n->malformed;
	if (st == PAWL_OK && r->answers.overflow)
		st = pawl__error_set(err, PAWL_E_NOMEM, "the answers are over the limit");
	return st;
}

enum pawl_status pawl__race_run(const struct race_config *config, struct demo_counts *counts,
                                struct race_result *ret, struct pawl_error *err)
{
	struct race r = { .config = config, .counts = counts, .result = ret };
	enum pawl_status st;

	PRE(config->buyers >= 1 && config->buyers <= RACE_BUYERS_MAX);
	PRE(config->conns >= 1 && config->conns <= RACE_CONNS_MAX);
	rng_init(&r.rng, config->seed);
	pawl__buf_init(&r.answers, RACE_ANSWERS_MAX);
	st = race_plan(&r, err);
	if (st == PAWL_OK)
		st = race_load(&r, err);
	if (st == PAWL_OK)
		st = race_count(&r, err);
	race_deinit(&r);
	return st;
}
