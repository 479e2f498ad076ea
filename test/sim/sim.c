/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim [--seeds N] [--first N] [--steps N]   many seeds, one after the other; exits 1 at the first
 *                                           that breaks a promise, having printed SEED=n
 * sim --seed N [--steps N] [--mutant NAME]  one seed again, with its log
 * sim --replay [--seeds N]                  each seed twice: the two runs must be the same
 * sim --planted                             every mutant must be caught within its seeds
 *
 * PAWL_SIM_SEEDS sets the number of seeds where no argument does.
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "world.h"

#define SEEDS_DEFAULT 2000
#define STEPS_DEFAULT 60
#define PLANTED_SEEDS 200

struct sim_args {
	uint64_t seeds, first, steps, seed;
	bool one, replay, planted;
	enum mutant mutant;
};

static bool number(const char *text, uint64_t *ret)
{
	return text != NULL && pawl__num_parse_u64(pawl__str_of(text), ret);
}

static bool mutant_of(const char *text, enum mutant *ret)
{
	for (int m = 0; text != NULL && m < MUTANTS; m++) {
		if (strcmp(text, mutant_name((enum mutant)m)) == 0) {
			*ret = (enum mutant)m;
			return true;
		}
	}
	return false;
}

static bool args_parse(int argc, char **argv, struct sim_args *a)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		bool ok;

		if (strcmp(argv[i], "--planted") == 0) {
			a->planted = true;
			continue;
		}
		if (strcmp(argv[i], "--replay") == 0) {
			a->replay = true;
			continue;
		}
		if (strcmp(argv[i], "--seeds") == 0)
			ok = number(value, &a->seeds);
		else if (strcmp(argv[i], "--first") == 0)
			ok = number(value, &a->first);
		else if (strcmp(argv[i], "--steps") == 0)
			ok = number(value, &a->steps) && a->steps <= SIM_KEYS_MAX / SIM_CLIENTS - 1;
		else if (strcmp(argv[i], "--seed") == 0)
			ok = a->one = number(value, &a->seed);
		else if (strcmp(argv[i], "--mutant") == 0)
			ok = mutant_of(value, &a->mutant);
		else
			ok = false;
		if (!ok)
			return false;
		i++;
	}
	return true;
}

/* The seed fails, and does not without the mutant: it is the mutant that was caught. */
static bool caught(struct sim_options o, struct sim_report *ret)
{
	struct sim_report well;

	sim_run(&o, ret);
	if (ret->held)
		return false;
	o.mutant = MUTANT_NONE;
	sim_run(&o, &well);
	return well.held;
}

/* A check that can't fail is no check. */
static bool run_planted(const struct sim_args *a)
{
	bool all = true;

	for (int m = MUTANT_NONE + 1; m < MUTANTS; m++) {
		struct sim_options o = { .steps = (uint32_t)a->steps, .mutant = (enum mutant)m };
		struct sim_report r;
		bool found = false;

		for (o.seed = a->first; o.seed < a->first + PLANTED_SEEDS && !found; o.seed++)
			found = caught(o, &r);
		(void)printf("%s: %s by seed %" PRIu64 ": %s\n", mutant_name(o.mutant),
		             found ? "caught" : "MISSED", o.seed - 1, found ? r.why : "");
		all = all && found;
	}
	return all;
}

static bool run_one(const struct sim_args *a)
{
	const struct sim_options o = {
		.seed = a->seed, .steps = (uint32_t)a->steps, .mutant = a->mutant, .print = true
	};
	struct sim_report r;

	sim_run(&o, &r);
	return r.held;
}

static bool run_many(const struct sim_args *a)
{
	struct sim_options o = { .steps = (uint32_t)a->steps, .mutant = a->mutant };

	for (o.seed = a->first; o.seed < a->first + a->seeds; o.seed++) {
		struct sim_report r, again;

		sim_run(&o, &r);
		if (!r.held) {
			o.print = true;
			sim_run(&o, &again);
			return false;
		}
		if (!a->replay)
			continue;
		sim_run(&o, &again);
		if (again.hash != r.hash) {
			(void)fprintf(stderr, "SEED=%" PRIu64 " runs differently again\n", o.seed);
			return false;
		}
	}
	(void)printf("%" PRIu64 " seeds of %u steps: every promise held\n", a->seeds, o.steps);
	return true;
}

int main(int argc, char **argv)
{
	struct sim_args a = { .seeds = SEEDS_DEFAULT, .first = 1, .steps = STEPS_DEFAULT };
	const char *env = getenv("PAWL_SIM_SEEDS"); /* NOLINT(concurrency-mt-unsafe): one thread */
	bool held;

	if ((env != NULL && !number(env, &a.seeds)) || !args_parse(argc, argv, &a) ||
	    sodium_init() < 0) {
		(void)fprintf(stderr, "usage: sim [--seeds N] [--first N] [--steps N] [--seed N]"
		                      " [--mutant NAME] [--replay] [--planted]\n");
		return 2;
	}
	if (a.planted)
		held = run_planted(&a);
	else
		held = a.one ? run_one(&a) : run_many(&a);
	return held ? EXIT_SUCCESS : EXIT_FAILURE;
}
