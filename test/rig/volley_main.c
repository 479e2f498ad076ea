/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race_volley - the load generator against a server of the rig, for tests and benchmarks.
 *
 *     race_volley URL KIND CLIENTS ROUNDS [--sync last-byte|none|spread] [--h2] [--head-ms N]
 *                 [--spread-us N] [--no-wake] [--first ID] [--seed N] [--until-found]
 *                 [--stamps URL]
 *
 * KIND: counter, retry, cache (planted_server) or plain (stamp_server). One line a round:
 * "accused overlapped release_spread_us peak pairs arrival_spread_us reads", the last two from
 * the stamps of the server and -1 without. The last line: "rounds N accused N overlapped N lost N".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "race/load/load.h"

#define CLIENTS_MAX 1000
#define TARGET_LEN  64

struct args {
	const char *url, *kind, *stamps;
	long clients, rounds, head_ms, spread_us, first, seed;
	enum volley_sync sync;
	bool h2, no_wake, until_found;
};

struct rig {
	struct args args;
	struct volley *volley, *side; /* side: state and stamps, of one request each */
	struct volley_request requests[CLIENTS_MAX];
	char targets[CLIENTS_MAX][TARGET_LEN];
	struct volley_result result, told;
};

static const struct http_field key_field = { STR("Idempotency-Key"), STR("the-same") };

static _Noreturn void die(const char *text)
{
	(void)fprintf(stderr, "race_volley: %s\n", text);
	exit(2);
}

static struct volley *volley_open(const char *url, bool h2)
{
	const struct volley_config config = { .proto = h2 ? VOLLEY_HTTP2 : VOLLEY_HTTP1,
		                              .insecure = true };
	struct volley_target target;
	struct pawl_error err = { 0 };
	struct volley *v = NULL;

	if (pawl__volley_target_parse(url, &target, &err) != PAWL_OK ||
	    pawl__volley_new(&target, &config, &v, &err) != PAWL_OK)
		die(err.text);
	return v;
}

/* A GET beside the volley; its body is in rig->told. */
static const struct volley_outcome *look(struct rig *rig, const char *target)
{
	const struct volley_request request = { .conn = VOLLEY_ANY,
		                                .method = STR("GET"),
		                                .target = pawl__str_of(target) };
	struct pawl_error err = { 0 };

	if (pawl__volley_call(rig->side, &request, &rig->told, &err) != PAWL_OK)
		die(err.text);
	if (rig->told.outcomes[0].class != VOLLEY_ANSWERED)
		die("the server does not answer");
	pawl__buf_putc(&rig->told.outcomes[0].body, '\0');
	return &rig->told.outcomes[0];
}

static void requests_make(struct rig *rig, long id)
{
	const struct args *a = &rig->args;
	const bool cache = strcmp(a->kind, "cache") == 0, plain = strcmp(a->kind, "plain") == 0;
	const bool retry = strcmp(a->kind, "retry") == 0;

	for (long i = 0; i < a->clients; i++) {
		/* The last is a PUT: nobody comes after it to put the cache right again. */
		const bool put = cache && (a->clients - 1 - i) % 3 == 0;

		if (put)
			(void)snprintf(rig->targets[i], TARGET_LEN, "/cache/%ld/%ld", id, i + 1);
		else
			(void)snprintf(rig->targets[i], TARGET_LEN, "/%s/%ld", a->kind, id);
		rig->requests[i] = (struct volley_request){
			.conn = VOLLEY_ANY,
			.method = put     ? STR("PUT")
			          : cache ? STR("GET")
			                  : STR("POST"),
			.target = plain ? STR("/plain") : pawl__str_of(rig->targets[i]),
			.fields = &key_field,
			.fields_len = retry ? 1 : 0,
			.body = cache ? STR_NONE : STR("{\"quantity\":1}"),
		};
	}
}

/* Did the service do what it must not? */
static bool accused(struct rig *rig, long id)
{
	char target[TARGET_LEN];
	const char *text, *value, *cached;
	long created = 0;

	if (strcmp(rig->args.kind, "plain") == 0)
		return false;
	for (size_t i = 0; i < rig->result.len; i++)
		created += rig->result.outcomes[i].status == 201 ? 1 : 0;
	if (strcmp(rig->args.kind, "cache") != 0)
		return created > 1;
	(void)snprintf(target, sizeof(target), "/state/%ld", id);
	text = look(rig, target)->body.data;
	value = strstr(text, "\"value\":");
	cached = strstr(text, "\"cached\":");
	if (value == NULL || cached == NULL)
		die("no state");
	return strtol(value + 8, NULL, 10) != strtol(cached + 9, NULL, 10);
}

/* What the server noted: from the first request complete to the last, and in how many reads. */
static void arrival(struct rig *rig, long *ret_us, long *ret_reads)
{
	const struct volley_outcome *o = look(rig, "/stamps");
	long long first = 0, last = 0;
	unsigned long long read, before = 0;
	const char *at = o->body.data;
	char *end;
	long reads = 0, n = 0;

	while (*at != '\0' && n < rig->args.clients) {
		const long long ns = strtoll(at, &end, 10);

		read = strtoull(end, &end, 10);
		at = strchr(end, '\n');
		at = at == NULL ? "" : at + 1;
		first = n == 0 || ns < first ? ns : first;
		last = ns > last ? ns : last;
		reads += n == 0 || read != before ? 1 : 0;
		before = read;
		n++;
	}
	*ret_us = n == rig->args.clients ? (long)((last - first) / 1000) : -1;
	*ret_reads = reads;
}

static void run(struct rig *rig)
{
	const struct args *a = &rig->args;
	const struct volley_request warm = { .conn = VOLLEY_ANY,
		                             .method = STR("GET"),
		                             .target = STR("/") };
	long found = 0, overlaps = 0, lost = 0, rounds = 0;

	/* With stamps one round goes before: connections and warm-up are not measured. */
	for (long i = a->stamps != NULL ? -1 : 0; i < a->rounds && !(a->until_found && found > 0);
	     i++) {
		const struct volley_plan plan = {
			.sync = a->sync,
			.requests = rig->requests,
			.len = (size_t)a->clients,
			.warm = &warm,
			.head_start_ns = a->head_ms == 0 ? -1 : a->head_ms * 1000000,
			.no_wake = a->no_wake,
			.spread_ns = a->spread_us * 1000,
			.seed = (uint64_t)(a->seed + i),
		};
		struct pawl_error err = { 0 };
		long arrival_us = -1, reads = -1;
		bool bad, reached;

		requests_make(rig, a->first + (i < 0 ? 0 : i));
		if (pawl__volley_fire(rig->volley, &plan, &rig->result, &err) != PAWL_OK)
			die(err.text);
		if (a->stamps != NULL)
			arrival(rig, &arrival_us, &reads);
		if (i < 0)
			continue;
		rounds++;
		bad = accused(rig, a->first + i);
		reached = pawl__volley_overlapped(&rig->result, 0);
		found += bad ? 1 : 0;
		overlaps += reached ? 1 : 0;
		lost += a->clients - rig->result.counts[VOLLEY_ANSWERED];
		(void)printf("%d %d %ld %u %lu %ld %ld\n", bad, reached,
		             (long)(rig->result.release_spread_ns / 1000), rig->result.overlap.peak,
		             (unsigned long)rig->result.overlap.pairs, arrival_us, reads);
	}
	(void)printf("rounds %ld accused %ld overlapped %ld lost %ld\n", rounds, found, overlaps,
	             lost);
}

static enum volley_sync sync_of(const char *text)
{
	if (strcmp(text, "last-byte") == 0)
		return VOLLEY_LAST_BYTE;
	if (strcmp(text, "none") == 0)
		return VOLLEY_NONE;
	if (strcmp(text, "spread") == 0)
		return VOLLEY_SPREAD;
	die("--sync is last-byte, none or spread");
}

static bool option_number(struct args *a, const char *name, const char *value)
{
	const struct {
		const char *name;
		long *to;
	} numbers[] = { { "--head-ms", &a->head_ms },
		        { "--spread-us", &a->spread_us },
		        { "--first", &a->first },
		        { "--seed", &a->seed } };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(name, numbers[i].name) == 0) {
			*numbers[i].to = strtol(value, NULL, 10);
			return true;
		}
	}
	return false;
}

static void args_read(struct args *a, int argc, char **argv)
{
	if (argc < 5)
		die("race_volley URL KIND CLIENTS ROUNDS [options]");
	a->url = argv[1];
	a->kind = argv[2];
	a->clients = strtol(argv[3], NULL, 10);
	a->rounds = strtol(argv[4], NULL, 10);
	a->head_ms = 100;
	if (a->clients < 1 || a->clients > CLIENTS_MAX)
		die("1 to 1000 clients");
	for (int i = 5; i < argc; i++) {
		const bool more = i + 1 < argc;

		if (strcmp(argv[i], "--h2") == 0)
			a->h2 = true;
		else if (strcmp(argv[i], "--no-wake") == 0)
			a->no_wake = true;
		else if (strcmp(argv[i], "--until-found") == 0)
			a->until_found = true;
		else if (more && strcmp(argv[i], "--sync") == 0)
			a->sync = sync_of(argv[++i]);
		else if (more && strcmp(argv[i], "--stamps") == 0)
			a->stamps = argv[++i];
		else if (more && option_number(a, argv[i], argv[i + 1]))
			i++;
		else
			die("unknown option");
	}
}

int main(int argc, char **argv)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (rig == NULL)
		die("no memory");
	args_read(&rig->args, argc, argv);
	rig->volley = volley_open(rig->args.url, rig->args.h2);
	rig->side = volley_open(rig->args.stamps != NULL ? rig->args.stamps : rig->args.url, false);
	run(rig);
	pawl__volley_result_free(&rig->result);
	pawl__volley_result_free(&rig->told);
	pawl__volley_free(rig->volley);
	pawl__volley_free(rig->side);
	free(rig);
	return 0;
}
