/* SPDX-License-Identifier: Apache-2.0 */
/* The smaller parts: metrics, progress, notification, the sale by hand. */
#include "harness.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/metric.h"
#include "cli/naive/naive.h"
#include "cli/notify.h"
#include "cli/progress.h"

static void test_metric_sum__adds_label_sets_and_only_that_name(void **state)
{
	const struct str text = STR("# HELP a_total x\n# TYPE a_total counter\n"
	                            "a_total{r=\"/x y\",c=\"2xx\"} 3\na_total{r=\"}\"} 4.5\n"
	                            "a_total_more 100\na_tota 100\nb 1e3\nc NaN\nd +Inf\ne x\nf");
	double v = -1;

	(void)state;
	assert_true(pawl__metric_sum(text, "a_total", &v));
	assert_true(v > 7.4 && v < 7.6);
	assert_true(pawl__metric_sum(text, "b", &v));
	assert_true(v > 999.9 && v < 1000.1);
	v = -1;
	assert_false(pawl__metric_sum(text, "c", &v));
	assert_false(pawl__metric_sum(text, "d", &v));
	assert_false(pawl__metric_sum(text, "e", &v));
	assert_false(pawl__metric_sum(text, "f", &v));
	assert_false(pawl__metric_sum(text, "absent", &v));
	assert_false(pawl__metric_sum(STR(""), "a", &v));
	assert_true(v < 0);
}

static void test_progress__says_nothing_where_there_is_no_terminal(void **state)
{
	struct progress p;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	pawl__progress_init(&p, f, true);
	pawl__progress_update(&p, "racing", 1, 2, 1000000);
	pawl__progress_clear(&p);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "");
	free(text);
}

static void test_progress__draws_at_most_ten_times_a_second_and_clears(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct progress p = { .f = f, .on = true };

	(void)state;
	pawl__progress_update(&p, "racing", 1, 2, 1000000);
	pawl__progress_update(&p, "racing", 2, 2, 1099999);
	assert_int_equal(fflush(f), 0);
	assert_non_null(strstr(text, " 50%"));
	assert_null(strstr(text, "100%"));
	pawl__progress_update(&p, "racing", 2, 2, 1100000);
	pawl__progress_clear(&p);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(text, "100%"));
	assert_string_equal(text + len - 4, "\r\033[K");
	free(text);
}

/* Its name has no end but its length. */
static void test_notify_abstract(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[64], got[64] = "";
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int n = snprintf(name, sizeof(name), "@pawl-test-%d", (int)getpid());

	memcpy(addr.sun_path + 1, name + 1, (size_t)n - 1);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
	                 0);
	(void)setenv("NOTIFY_SOCKET", name, 1);
	assert_true(pawl__notify("STOPPING=1"));
	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 10);
	(void)close(fd);
}

static void test_notify__sends_one_datagram_to_the_socket(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/pawl-test-notify-XXXXXX", got[64] = "";
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	assert_true(pawl__notify("READY=1"));
	assert_non_null(mkdtemp(dir));
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	(void)setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	assert_true(pawl__notify("READY=1"));
	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
	assert_string_equal(got, "READY=1");
	(void)close(fd);
	(void)unlink(addr.sun_path);
	(void)rmdir(dir);
	assert_false(pawl__notify("READY=1")); /* nobody is there */
	test_notify_abstract();
	(void)setenv("NOTIFY_SOCKET", "relative", 1);
	assert_false(pawl__notify("READY=1"));
	(void)unsetenv("NOTIFY_SOCKET");
}

static struct naive_result sell_by_hand(enum naive_strategy strategy, uint32_t threads,
                                        int64_t buyers, int64_t stock)
{
	static const char *const beside[] = { "", "-wal", "-shm" };
	char dir[] = "/tmp/pawl-test-naive-XXXXXX", path[64], file[80];
	struct naive_config config = { .path = path,
		                       .buyers = buyers,
		                       .stock = stock,
		                       .threads = threads,
		                       .think_us = 1000,
		                       .budget_us = INT64_C(600000000) };
	struct naive_result r = { 0 };
	struct pawl_error err;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/n.db", dir);
	assert_int_equal(pawl__naive_run(strategy, &config, &r, &err), PAWL_OK);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(file, sizeof(file), "%s%s", path, beside[i]);
		(void)unlink(file);
	}
	assert_int_equal(rmdir(dir), 0);
	return r;
}

/* What holds whatever the threads did. */
static void test_naive_run__every_buyer_has_one_outcome_and_sold_is_the_orders(void **state)
{
	(void)state;
	for (int i = 0; i < NAIVE_STRATEGIES; i++) {
		const struct naive_result r = sell_by_hand((enum naive_strategy)i, 8, 60, 5);

		assert_int_equal(r.tried, 60);
		assert_int_equal(r.sold + r.refused + r.failed, r.tried);
		assert_true(i == NAIVE_STATEMENTS ? r.orders >= r.sold : r.orders == r.sold);
	}
}

static void test_naive_run__in_transactions_nothing_is_oversold_or_lost(void **state)
{
	(void)state;
	for (int i = NAIVE_DEFERRED; i <= NAIVE_IMMEDIATE; i++) {
		const struct naive_result r = sell_by_hand((enum naive_strategy)i, 8, 60, 5);

		assert_true(r.orders <= 5);
		assert_int_equal(r.stock_shown, 5 - r.orders);
	}
}

/* One thread overlaps with nobody, and there even this strategy is right. */
static void test_naive_run__alone_even_the_naive_one_is_right(void **state)
{
	const struct naive_result r = sell_by_hand(NAIVE_STATEMENTS, 1, 20, 5);

	(void)state;
	assert_int_equal(r.orders, 5);
	assert_int_equal(r.refused, 15);
	assert_int_equal(r.stock_shown, 0);
	assert_int_equal(r.retries, 0);
}

static void test_naive_run__file_that_cannot_be_made_is_a_fault(void **state)
{
	const struct naive_config config = { .path = "/no/such/directory/n.db",
		                             .buyers = 1,
		                             .stock = 1,
		                             .threads = 1,
		                             .budget_us = 1000000 };
	struct naive_result r = { .tried = 7 };
	struct pawl_error err;

	(void)state;
	assert_int_equal(pawl__naive_run(NAIVE_IMMEDIATE, &config, &r, &err), PAWL_E_IO);
	assert_int_equal(r.tried, 7); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metric_sum__adds_label_sets_and_only_that_name),
		cmocka_unit_test(test_progress__says_nothing_where_there_is_no_terminal),
		cmocka_unit_test(test_progress__draws_at_most_ten_times_a_second_and_clears),
		cmocka_unit_test(test_notify__sends_one_datagram_to_the_socket),
		cmocka_unit_test(
			test_naive_run__every_buyer_has_one_outcome_and_sold_is_the_orders),
		cmocka_unit_test(test_naive_run__in_transactions_nothing_is_oversold_or_lost),
		cmocka_unit_test(test_naive_run__alone_even_the_naive_one_is_right),
		cmocka_unit_test(test_naive_run__file_that_cannot_be_made_is_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
