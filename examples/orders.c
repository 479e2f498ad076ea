/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orders - an order service in one file: a few items, many buyers at once, some of whom reserve
 * first and make up their minds later. However they race: never oversold, never negative, never
 * doubled.
 *
 *     cc orders.c $(pkg-config --cflags --libs pawl) -pthread -o orders
 *     ./orders sqlite:orders.db
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pawl/pawl.h>

#define ITEMS     3
#define STOCK     60
#define BUYERS    8
#define ORDERS    50 /* a buyer */
#define PRICE     20
#define HOLD_S    600
#define TRIES_MAX 100

static const char *const skus[ITEMS] = { "book", "lamp", "chair" };

struct buyer {
	struct pawl *p;
	pthread_t thread;
	unsigned number;
	int64_t run;           /* tells the keys of this run from those of earlier ones */
	int64_t bought[ITEMS]; /* of confirmed orders, by our own count */
	int64_t orders, sold_out, cancelled, faults;
};

/* Send until the answer is known; the key makes it one order. */
static enum pawl_status place(struct pawl *p, const char *key, const struct pawl_order *order,
                              struct pawl_answer **ret, struct pawl_error *err)
{
	enum pawl_status st = PAWL_OK;

	for (int tries = 1; tries <= TRIES_MAX; tries++) {
		st = pawl_order_place(p, key, order, ret, err);
		if (st == PAWL_OK || pawl_status_retry(st) == PAWL_RETRY_NEVER)
			break;
		(void)poll(NULL, 0, tries); /* that many milliseconds */
	}
	return st;
}

/* Confirm or cancel a held order, twice: the second time says the same. */
static int finish(struct buyer *b, const char *id, int confirm)
{
	struct pawl_answer *answer;
	struct pawl_error err;
	int ok = 1;

	for (int i = 0; i < 2 && ok; i++) {
		const enum pawl_status st =
			confirm ? pawl_order_confirm(b->p, NULL, id, &answer, &err)
				: pawl_order_cancel(b->p, NULL, id, &answer, &err);

		if (st != PAWL_OK)
			return 0;
		ok = pawl_answer_code(answer) == PAWL_OK;
		pawl_answer_free(answer);
	}
	return ok;
}

static void count(struct buyer *b, const struct pawl_order_line *lines, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		for (int at = 0; at < ITEMS; at++)
			b->bought[at] +=
				strcmp(lines[i].sku, skus[at]) == 0 ? lines[i].quantity : 0;
	}
}

static void buy(struct buyer *b, unsigned i)
{
	const struct pawl_order_line lines[2] = {
		{ skus[(b->number + i) % ITEMS], 1 + i % 2 },
		{ skus[(b->number + i + 1) % ITEMS], 1 },
	};
	struct pawl_order order = PAWL_ORDER_INIT;
	char key[64], id[PAWL_ID_TEXT_SIZE];
	const int hold = i % 3 != 0, confirm = i % 3 == 1;
	struct pawl_answer *answer;
	struct pawl_error err;
	enum pawl_status code;

	order.lines = lines;
	order.lines_len = 2;
	order.customer = "a customer";
	order.hold_s = hold ? HOLD_S : 0;
	order.pay_from = "wallet";
	order.pay_to = "till";
	order.pay_amount = PRICE;
	(void)snprintf(key, sizeof(key), "order-%" PRId64 "-%u-%u", b->run, b->number, i);
	if (place(b->p, key, &order, &answer, &err) != PAWL_OK) {
		(void)fprintf(stderr, "orders: %s\n", err.text);
		b->faults++;
		return;
	}
	code = pawl_answer_code(answer);
	b->orders += code == PAWL_OK;
	b->sold_out += code == PAWL_E_INSUFFICIENT;
	if (code == PAWL_OK && pawl_answer_id(answer, 0, id) != PAWL_OK)
		b->faults++;
	else if (code == PAWL_OK && hold && !finish(b, id, confirm))
		b->faults++;
	else if (code == PAWL_OK && hold && !confirm)
		b->cancelled++;
	else if (code == PAWL_OK)
		count(b, lines, 2);
	pawl_answer_free(answer);
}

static void *work(void *arg)
{
	struct buyer *b = (struct buyer *)arg;

	for (unsigned i = 0; i < ORDERS; i++)
		buy(b, i);
	return NULL;
}

/* It is there, by now or since an earlier run. */
static int opened(enum pawl_status st, struct pawl_answer **answer)
{
	int ok;

	if (st != PAWL_OK)
		return 0;
	ok = pawl_answer_code(*answer) == PAWL_OK || pawl_answer_code(*answer) == PAWL_E_EXISTS;
	pawl_answer_free(*answer);
	return ok;
}

static int open_shop(struct pawl *p)
{
	struct pawl_answer *answer = NULL;
	struct pawl_error err;
	int ok = 1;

	for (int i = 0; i < ITEMS && ok; i++)
		ok = opened(pawl_item_open(p, skus[i], STOCK, &answer, &err), &answer);
	ok = ok && opened(pawl_account_open_nofloor(p, "wallet", "EUR", &answer, &err), &answer);
	return ok && opened(pawl_account_open(p, "till", "EUR", 0, &answer, &err), &answer);
}

/* What the shop says against what the buyers have; before is what earlier runs had sold. */
static int check(struct pawl *p, const struct buyer *buyers, const int64_t before[ITEMS])
{
	struct pawl_error err;
	int ok = 1;

	for (int i = 0; i < ITEMS; i++) {
		struct pawl_item item;
		int64_t bought = before[i];

		if (pawl_item_get(p, skus[i], &item, &err) != PAWL_OK)
			return 0;
		for (int at = 0; at < BUYERS; at++)
			bought += buyers[at].bought[i];
		(void)printf("%-6s available %" PRId64 ", held %" PRId64 ", sold %" PRId64
		             ", bought %" PRId64 "\n",
		             item.sku, item.available, item.held, item.sold, bought);
		ok = ok && item.sold == bought && item.held == 0 &&
		     item.available + item.sold == STOCK;
	}
	return ok;
}

static int sold_before(struct pawl *p, int64_t ret[ITEMS])
{
	struct pawl_error err;

	for (int i = 0; i < ITEMS; i++) {
		struct pawl_item item;

		if (pawl_item_get(p, skus[i], &item, &err) != PAWL_OK)
			return 0;
		ret[i] = item.sold;
	}
	return 1;
}

static void drift(void *arg, const char *what, const char *text)
{
	(void)arg;
	(void)printf("DRIFT  %s: %s\n", what, text);
}

static int64_t run_number(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int run(struct pawl *p)
{
	static struct buyer buyers[BUYERS];
	int64_t orders = 0, sold_out = 0, cancelled = 0, faults = 0, before[ITEMS];
	struct pawl_audit audit = { 0, 0, 0, 0, 0, 0, 0, 0, 0 };
	struct pawl_error err;
	unsigned started = 0;
	int sound;

	if (!open_shop(p) || !sold_before(p, before))
		return 0;
	for (unsigned i = 0; i < BUYERS; i++) {
		buyers[i].p = p;
		buyers[i].number = i;
		buyers[i].run = run_number();
		if (pthread_create(&buyers[i].thread, NULL, work, &buyers[i]) != 0)
			break;
		started++;
	}
	for (unsigned i = 0; i < started; i++) {
		(void)pthread_join(buyers[i].thread, NULL);
		orders += buyers[i].orders;
		sold_out += buyers[i].sold_out;
		cancelled += buyers[i].cancelled;
		faults += buyers[i].faults;
	}
	(void)printf("orders %" PRId64 " (%" PRId64 " of them cancelled), sold out %" PRId64 "\n",
	             orders, cancelled, sold_out);
	sound = check(p, buyers, before);
	if (pawl_verify(p, drift, NULL, &audit, &err) != PAWL_OK)
		return 0;
	(void)printf("verify %" PRId64 " orders, %" PRId64 " holds, %" PRId64 " drifts\n",
	             audit.orders, audit.holds, audit.drifts);
	return sound && audit.drifts == 0 && faults == 0 && started == BUYERS;
}

int main(int argc, char **argv)
{
	const char *url = argc > 1 ? argv[1] : "memory:";
	struct pawl_error err;
	struct pawl *p;
	int sound;

	if (pawl_open(url, NULL, &p, &err) != PAWL_OK) {
		(void)fprintf(stderr, "orders: cannot open the store: %s\n", err.text);
		return pawl_status_exit(err.status);
	}
	sound = run(p);
	pawl_close(p);
	(void)puts(sound ? "the books balance" : "THE BOOKS DO NOT BALANCE");
	return sound ? EXIT_SUCCESS : EXIT_FAILURE;
}
