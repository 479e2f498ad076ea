/* SPDX-License-Identifier: Apache-2.0 */
/* Every format as it is written by others, and as it must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "race/check/history.h"

/* Exactly the bytes and their slack, so that a sanitizer sees a byte read too far. */
static enum pawl_status read_as(const char *text, size_t len, enum history_format format,
                                struct history **ret, struct pawl_error *err)
{
	const struct history_options o = { .format = format };
	char *bytes = calloc(1, len + HISTORY_SLACK);
	enum pawl_status st;

	assert_non_null(bytes);
	memcpy(bytes, text, len);
	st = pawl__history_read(bytes, len, &o, ret, err);
	free(bytes);
	return st;
}

static struct history *read_ok(const char *text)
{
	struct history *h = NULL;
	struct pawl_error err = { 0 };

	if (read_as(text, strlen(text), HISTORY_AUTO, &h, &err) != PAWL_OK)
		fail_msg("%s: %s", text, err.text);
	return h;
}

/* The rows as text, one in a line. */
static void assert_rows(const char *text, const char *want)
{
	struct history *h = read_ok(text);
	struct buf b;

	pawl__buf_init(&b, 1 << 20);
	for (uint32_t i = 0; i < h->ops_len; i++) {
		pawl__history_op(h, i, &b);
		pawl__buf_putc(&b, '\n');
	}
	pawl__buf_putc(&b, '\0');
	assert_string_equal(b.data, want);
	pawl__buf_deinit(&b);
	pawl__history_free(h);
}

static void assert_error_as(const char *text, size_t len, enum history_format format,
                            const char *want)
{
	struct history *h = NULL;
	struct pawl_error err = { 0 };
	const enum pawl_status st = read_as(text, len, format, &h, &err);

	if (st == PAWL_OK)
		fail_msg("accepted: %s", text);
	assert_null(h);
	if (strncmp(err.text, want, strlen(want)) != 0)
		fail_msg("of \"%s\": \"%s\", want \"%s\"", text, err.text, want);
}

static void assert_error(const char *text, const char *want)
{
	assert_error_as(text, strlen(text), HISTORY_AUTO, want);
}

static void test_edn__maps_in_lines_are_paired_by_process(void **state)
{
	(void)state;
	assert_rows("{:type :invoke, :process 0, :f :read, :value nil}\n"
	            "{:type :invoke, :process 1, :f :write, :value 3}\n"
	            "{:type :ok, :process 0, :f :read, :value 5}\n"
	            "{:type :fail, :process 1, :f :write, :value 3}\n"
	            "{:type :invoke, :process 1, :f :cas, :value [1 2]}\n",
	            "{:ok process 0 line 3, [:r 5]}\n"
	            "{:fail process 1 line 4, [:w 3]}\n"
	            "{:info process 1 line 5, [:cas 1] [:cas-to 2]}\n");
}

static void test_edn__events_and_times_are_kept(void **state)
{
	struct history *h = read_ok("{:type :invoke, :process 4, :f :read, :time 10}"
	                            "{:type :invoke, :process 9, :f :write, :value 1, :time 20}"
	                            "{:type :info, :process 9, :f :write, :value 1, :time 25}"
	                            "{:type :ok, :process 4, :f :read, :value 1, :time 30}");

	(void)state;
	assert_int_equal(h->ops_len, 2);
	assert_int_equal(h->events_len, 3);
	assert_int_equal(h->event[0], 0);
	assert_int_equal(h->event[1], 2);
	assert_int_equal(h->event[2], 1);
	assert_int_equal(h->inv[0], 0);
	assert_int_equal(h->ret[0], 2);
	assert_int_equal(h->ret[1], HISTORY_NEVER);
	assert_int_equal(h->type[1], HT_INFO);
	assert_int_equal(h->time[0], 10);
	assert_int_equal(h->ret_time[0], 30);
	assert_int_equal(h->ret_time[1], 25);
	assert_int_equal(h->processes_len, 2);
	assert_true(h->has_realtime && h->has_process);
	pawl__history_free(h);
}

static void test_edn__everything_of_the_language(void **state)
{
	(void)state;
	assert_rows(
		"; a comment\n#_ {:not [an op]} #_#_ a b\n"
		"(#jepsen.history.Op{:type :invoke, \"other\" \\newline :process 1N, :f :read,\n"
		"  :extra #inst \"2020-01-01\", :more #{1 #{2}} :meta ^{:a 1} [x], :sym ##Inf},\n"
		" {:process 1 :value #_ 3 +7 :f \"read\" :type :ok})",
		"{:ok process 1 line 5, [:r 7]}\n");
	assert_rows("#:jepsen{:_/type :ok, :_/f :read, :_/value 4, :type :fail}",
	            "{:ok line 1, [:r 4]}\n");
	assert_rows("[]{:type :ok :f :read :value 1}" + 2, "{:ok line 1, [:r 1]}\n");
}

static void test_edn__values_of_every_kind(void **state)
{
	(void)state;
	assert_rows("{:type :ok :f :txn :process 0 :value [[:r :x nil] [:w \"k\\u0041\\n\" -5] "
	            "[:w sym true] [:w 1/2 2.5] [:w 9223372036854775807 "
	            "-9223372036854775808] [:append x 123456789012345678901N] [:w nil [1 {2 3}]]]}",
	            "{:ok process 0 line 1, [:r :x nil] [:w \"kA\\x0a\" -5] [:w sym true] "
	            "[:w 1/2 2.5] [:w 9223372036854775807 -9223372036854775808] "
	            "[:append x 123456789012345678901N] [:w [1 {2 3}]]}\n");
}

static void test_edn__equal_values_are_equal_and_others_not(void **state)
{
	struct history *h = read_ok("{:type :ok :f :txn :value [[:w 1 :a] [:w 1 \"a\"] [:w 1 a] "
	                            "[:w 1 :a] [:w 1 5N] [:w 1 +5] [:w 1 -0]]}");

	(void)state;
	assert_int_equal(h->mop_val[0], h->mop_val[3]);
	assert_int_not_equal(h->mop_val[0], h->mop_val[1]);
	assert_int_not_equal(h->mop_val[0], h->mop_val[2]);
	assert_int_not_equal(h->mop_val[1], h->mop_val[2]);
	assert_int_equal(h->mop_val[4], 5);
	assert_int_equal(h->mop_val[5], 5);
	assert_int_equal(h->mop_val[6], 0);
	assert_int_equal(h->keys_len, 1);
	pawl__history_free(h);
}

static void test_edn__one_key_is_one_number(void **state)
{
	struct history *h =
		read_ok("{:type :ok :f :txn :value [[:w 65535 1] [:w 65536 1] [:w :k 1] "
	                "[:w -1 1] [:w 65535 1] [:w 65536 1] [:w :k 1] [:w -1 1]]}");

	(void)state;
	assert_int_equal(h->keys_len, 4);
	for (uint32_t m = 0; m < 4; m++) {
		assert_int_equal(h->mop_key[m], m);
		assert_int_equal(h->mop_key[m + 4], m);
	}
	pawl__history_free(h);
}

static void test_lists__prefixes_are_lengths_and_others_apart(void **state)
{
	struct history *h = read_ok("{:type :ok :f :txn :process 0 :value [[:r 1 [1 2]] [:r 1 [1]] "
	                            "[:r 1 [1 2 33]] [:r 1 []] [:r 1 [1 2 3]] [:r 1 [1 2 33 4]] "
	                            "[:r 1 (2)] [:r 1 [1 2 33]]]}");
	static const int64_t want[] = { 2, 1, 3, 0, -1, 4, -2, 3 };
	uint32_t len;

	(void)state;
	for (uint32_t m = 0; m < 8; m++) {
		assert_true(history_is_list(h, m));
		assert_int_equal(h->mop_val[m], want[m]);
	}
	assert_int_equal(h->list[0].len, 4);
	assert_int_equal(history_list_at(h, 4, &len)[2], 3);
	assert_int_equal(len, 3);
	assert_int_equal(history_list_at(h, 6, &len)[0], 2);
	assert_int_equal(len, 1);
	assert_int_equal(history_list_at(h, 5, &len)[3], 4);
	pawl__history_free(h);
}

/* The longest list's text is compared before its elements: "1 2 3" does not begin "1 2 33". */
static void test_lists__numbers_that_begin_alike(void **state)
{
	struct history *h = read_ok("{:type :ok :f :txn :value [[:r 1 [1 2 3]] [:r 1 [1 2 33]] "
	                            "[:r 1 [1 2 3 4]] [:r 1 [1, 2, 3, 4]] [:r 1 [1 2 3  4 5]]]}");

	(void)state;
	assert_int_equal(h->mop_val[0], 3);
	assert_int_equal(h->mop_val[1], -1);
	assert_int_equal(h->mop_val[2], 4);
	assert_int_equal(h->mop_val[3], 4);
	assert_int_equal(h->mop_val[4], 5);
	pawl__history_free(h);
}

static void test_lists__only_ok_rows_make_main_lists(void **state)
{
	struct history *h = read_ok("{:type :info :f :txn :process 0 :value [[:r 1 [7 8]]]}"
	                            "{:type :ok :f :txn :process 0 :value [[:r 1 [1]]]}"
	                            "{:type :fail :f :txn :process 0 :value [[:r 1 [1]]]}");

	(void)state;
	assert_int_equal(h->list[0].len, 1);
	assert_int_equal(h->mop_val[0], -1);
	assert_int_equal(h->mop_val[1], 1);
	assert_int_equal(h->mop_val[2], 1);
	pawl__history_free(h);
}

static void test_shapes__bank_set_and_transfer(void **state)
{
	struct history *h;

	(void)state;
	assert_rows("{:type :ok :process 0 :f :read :value {0 10, :b 20}}"
	            "{:type :ok :process 0 :f :transfer :value {:from 0 :to :b :amount 5}}"
	            "{:type :ok :process 0 :f :read :value #{3 1}}",
	            "{:ok process 0 line 1, [:r 0 10] [:r :b 20]}\n"
	            "{:ok process 0 line 1, [:transfer 0 5] [:to :b 5]}\n"
	            "{:ok process 0 line 1, [:r [3 1]]}\n");
	h = read_ok("{\"type\":\"ok\",\"process\":1,\"f\":\"read\",\"value\":{\"0\":1,\"x\":2}}");
	assert_int_equal(h->key[0], 0);
	assert_true(value_is_name(h->key[1]));
	pawl__history_free(h);
}

static void test_shapes__kv_has_its_key_beside_the_value(void **state)
{
	(void)state;
	assert_rows("{:process 9, :type :invoke, :f :append, :key \"0\", :value \"x\"}"
	            "{:process 2, :type :invoke, :f :get, :key \"0\", :value nil}"
	            "{:process 2, :type :ok, :f :get, :key \"0\", :value \"x\"}"
	            "{:process 9, :type :ok, :f :append, :value \"x\"}",
	            "{:ok process 9 line 1, [:append \"0\" \"x\"]}\n"
	            "{:ok process 2 line 1, [:r \"0\" \"x\"]}\n");
}

static void test_pairs__without_processes_by_what_is_done(void **state)
{
	struct history *h = read_ok("{:type :invoke :f :read :value nil}"
	                            "{:type :invoke :f :write :value 4}"
	                            "{:type :ok :f :write :value 4}"
	                            "{:type :ok :f :read :value #{4}}");

	(void)state;
	assert_int_equal(h->ops_len, 2);
	assert_int_equal(h->ret[0], 3);
	assert_int_equal(h->ret[1], 2);
	assert_int_equal(h->processes_len, 2);
	assert_false(h->has_process);
	pawl__history_free(h);
}

static void test_pairs__of_one_process_at_once_by_the_transaction(void **state)
{
	(void)state;
	assert_rows("{:type :invoke :process 0 :f nil :value [[:r :x nil] [:r :y nil]]}"
	            "{:type :invoke :process 0 :f nil :value [[:w :y 1]]}"
	            "{:type :ok :process 0 :f nil :value [[:r :x nil] [:r :y 1]]}"
	            "{:type :ok :process 0 :f nil :value [[:w :y 1]]}",
	            "{:ok process 0 line 1, [:r :x nil] [:r :y 1]}\n"
	            "{:ok process 0 line 1, [:w :y 1]}\n");
	assert_error("{:type :invoke :process 0 :f :write :value 1}\n"
	             "{:type :invoke :process 0 :f :write :value 2}",
	             "line 2, column 1: a process began an operation before its last one");
}

static void test_pairs__a_second_completion_is_refused(void **state)
{
	(void)state;
	assert_error("{:type :invoke :process 0 :f :write :value 1}\n"
	             "{:type :ok :process 0 :f :write :value 1}\n"
	             " {:type :ok :process 0 :f :write :value 1}",
	             "line 3, column 2: a process completed what it had not begun");
	assert_error("{:type :invoke :process 0 :f :write :value 1}\n"
	             "{:type :ok :process 0 :f :read :value 1}",
	             "line 2, column 1: a process completed another operation");
}

static void test_pairs__the_nemesis_is_left_out(void **state)
{
	struct history *h;

	(void)state;
	assert_rows("{:process :nemesis :type :info :f :kill :value nil}"
	            "{:process 0 :type :ok :f :write :value 1}"
	            "{:process :nemesis :type :info :f :kill :value {:a [1]}}",
	            "{:ok process 0 line 1, [:w 1]}\n");
	h = read_ok("{:process :nemesis :type :info :f :kill :value nil}");
	assert_int_equal(h->ops_len, 0);
	pawl__history_free(h);
}

static void test_json__lines_arrays_and_null(void **state)
{
	static const char want[] =
		"{:ok process 0 line 1, [:append 1 2] [:r 1 [2 3]] [:r 2 nil]}\n";

	(void)state;
	assert_rows(
		"{\"type\":\"ok\",\"f\":\"txn\",\"process\":0,\"value\":[[\"append\",1,2],[\"r\",1,"
		"[2,3]],[\"r\",2,null]]}",
		want);
	assert_rows("[{\"index\":0,\"value\":[[\"append\",1,2],[\"r\",1,[2,3]],[\"r\",2]],\"type\":"
	            "\"ok\",\"f\":\"txn\",\"process\":0,\"t_send\":1,\"strategy\":\"a\\\"b\"}]",
	            want);
	assert_rows("{\"type\":\"ok\",\"f\":\"write\",\"value\":-1.5e3,\"process\":\"x\"}\n"
	            "{\"type\":\"ok\",\"f\":\"write\",\"value\":\"\\u00e9\",\"process\":null}",
	            "{:ok line 2, [:w \"\\xc3\\xa9\"]}\n");
}

static void test_etcd__lines_among_others(void **state)
{
	(void)state;
	assert_rows("INFO  jepsen.core - hello 1 2\n"
	            "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
	            "INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n"
	            "INFO  jepsen.util - 1\t:invoke\t:cas\t[3 0]\n"
	            "INFO  jepsen.util - 1\t:fail\t:cas\t[3 0]\n"
	            "INFO  jepsen.util - 0\t:info\t:read\t:timed-out\r\n",
	            "{:info process 0 line 6, [:r nil]}\n"
	            "{:fail process 1 line 5, [:cas 3] [:cas-to 0]}\n");
}

static void test_plume__both_dialects(void **state)
{
	struct history *h = read_ok("w(0,0,0,0)\nw(1,0,0,0)\nr(0,0,1,1)\nw(1,5,1,1)\nr(1,5,2,2)\n");

	(void)state;
	assert_int_equal(h->format, HISTORY_PLUME_FIRST);
	assert_int_equal(h->init_op, 0);
	assert_false(h->has_initial);
	assert_int_equal(h->ops_len, 3);
	assert_false(h->has_realtime);
	pawl__history_free(h);
	h = read_ok("w(1,1,0,0)\nr(2,0,0,0)\nr(1,1,1,1)\n");
	assert_int_equal(h->format, HISTORY_PLUME_ZERO);
	assert_int_equal(h->init_op, HISTORY_NONE);
	assert_true(h->has_initial);
	assert_int_equal(h->initial, 0);
	pawl__history_free(h);
	h = read_ok("w(1,0,0,0)\nw(2,1,1,1)\n"); /* a 0 is written, 2 is not at first */
	assert_int_equal(h->format, HISTORY_PLUME_FIRST);
	pawl__history_free(h);
	h = read_ok("w(1,7,0,0)\nw(2,8,0,0)\nr(2,8,1,1)\n"); /* every key is, no 0 */
	assert_int_equal(h->format, HISTORY_PLUME_FIRST);
	pawl__history_free(h);
	assert_error("w(1,1,0,0)\nw(2,1,1,1)\nw(3,1,0,0)\n",
	             "line 3, column 1: the lines of a transaction must stand together");
	assert_error("w(1,1,0,0)\nr(1,1,0", "line 2, column 8: it ends too early");
	assert_error("w(1,1,0,-1)\n", "line 1, column 1: a session or transaction");
}

static void test_awdit__sessions_and_transactions(void **state)
{
	(void)state;
	assert_rows("w 0 0\nw 1 1\n-----\nr 1 1\n=====\nr 0 0\n",
	            "{:ok process 0 line 1, [:w 0 0] [:w 1 1]}\n"
	            "{:ok process 0 line 4, [:r 1 1]}\n"
	            "{:ok process 1 line 6, [:r 0 0]}\n");
	assert_error("w 0 0\nx 1 1\n", "line 2, column 1: a line is");
	assert_error("w 0 0w 1 1\n", "line 1, column 6: unexpected character");
	assert_error("=====\n-----\n", "there is no operation");
}

static void test_dbcop__aborted_transactions_are_failures(void **state)
{
	(void)state;
	assert_rows("{\"name\":\"n\",\"sessions\":[[{\"committed\":false,\"events\":[[\"w\",\"x\","
	            "1]]}],"
	            "[{\"committed\":true,\"events\":[[\"r\",\"x\",null]]}]]}",
	            "{:fail process 0 line 1, [:w \"x\" 1]}\n"
	            "{:ok process 1 line 1, [:r \"x\" nil]}\n");
}

static void test_read__garbage_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "line 1, column 1: it is empty" },
		{ " \n\t\n", "line 1, column 1: it is empty" },
		{ "hello", "line 1, column 1: this is in none of the formats" },
		{ "; only a comment\n", "there is no operation in it" },
		{ "[]", "there is no operation in it" },
		{ "{}", "line 1, column 1: an operation has a type" },
		{ "[1 2]", "line 1, column 2: an operation is a map" },
		{ "{:type :ok :f :read :value 1", "line 1, column 29: it ends too early" },
		{ "[{:type :ok :f :read :value 1}", "line 1, column 31: it ends too early" },
		{ "[{:type :ok :f :read :value 1}] x",
		  "line 1, column 33: something stands behind" },
		{ "{:type :ok :f :read :value 1}]", "line 1, column 30: an operation is a map" },
		{ "{:type :ok :type :ok}", "line 1, column 12: a key stands twice" },
		{ "{:type :ok :f}", "line 1, column 12: a map has a key without a value" },
		{ "{:type :maybe}", "line 1, column 8: a type is" },
		{ "{:type :ok :f :txn :value [[:r 1 [1 2}]]}", "line 1, column 38: unexpected" },
		{ "{:type :ok :f :txn :value [[:q 1 2]]}", "line 1, column 29: a transaction's" },
		{ "{:type :ok :f :txn :value [[:r 1 2 3]]}",
		  "line 1, column 36: a micro-operation" },
		{ "{:type :ok :f :txn :value [[:r]]}",
		  "line 1, column 28: a micro-operation has no" },
		{ "{:type :ok :f :txn :value 5}", "line 1, column 27: a transaction is a vector" },
		{ "{:type :ok :f :cas :value 5}", "line 1, column 27: cas has the value" },
		{ "{:type :ok :f :cas :value [5]}", "line 1, column 27: cas has the value" },
		{ "{:type :ok :f :write :value \"a\\q\"}", "line 1, column 31: unknown escape" },
		{ "{:type :ok :f :write :value \"a", "line 1, column 29: a string is not closed" },
		{ "{:type :ok :f :write :value \\ }", "line 1, column 29: '\\' is not followed" },
		{ "{\"type\":\"ok\",}", "line 1, column 14: a ',' has nothing behind it" },
		{ "{\"type\":\"ok\" \"f\":1}", "line 1, column 14: ',' or the end" },
		{ "{\"type\":\"ok\",\"value\":01}", "line 1, column 22: unexpected character" },
		{ "{\"type\":\"ok\",\"f\":\"txn\",\"value\":[[\"w\",1,01]]}",
		  "line 1, column 40: unexpected character" },
		{ "{\"type\":\"ok\",\"value\":+1}", "line 1, column 22: unexpected character" },
		{ "{\"type\":\"ok\",\"value\":[1,]}", "line 1, column 25: a ',' has nothing" },
		{ "{\"type\":\"ok\",\"type\":\"ok\"}", "line 1, column 14: a name stands twice" },
		{ "[{\"type\":\"ok\"}] 1", "line 1, column 17: something stands behind" },
		{ "INFO jepsen.util - 0 :huh :read nil\n", "line 1, column 22: a type is" },
		{ "INFO jepsen.util - 0 :ok read nil\n", "line 1, column 26: what was done" },
		{ "INFO jepsen.util - nothing\n", "there is no operation in it" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_error(rows[i].text, rows[i].error);
}

static void test_read__a_zero_byte_ends_nothing(void **state)
{
	static const char edn[] = "{:type :ok :f :read :value 1}\n\0{:type :ok :f :read :value 2}";
	static const char text[] = "w 1 1\n\0w 2 2\n";

	(void)state;
	assert_error_as(edn, sizeof(edn) - 1, HISTORY_AUTO, "line 2, column 1: ");
	assert_error_as(text, sizeof(text) - 1, HISTORY_AUTO, "line 2, column 1: ");
}

/* Every prefix of a good history is refused or is itself one; none is read past its end. */
static void test_read__every_prefix_is_handled(void **state)
{
	static const char *const texts[] = {
		"[{:type :invoke :process 0 :f :txn :value [[:r 1 nil] [:append :k \"s\\n\"]]}\n"
		" #_ x {:type :ok :process 0 :f :txn :value [[:r 1 [1 2]] [:append :k \"s\\n\"]]}]",
		"[{\"type\":\"ok\",\"process\":0,\"f\":\"txn\",\"value\":[[\"r\",1,[1,2]],[\"w\","
		"\"x\",{}]]}]",
		"INFO jepsen.util - 0 :invoke :cas [3 0]\nINFO jepsen.util - 0 :ok :cas [3 0]\n",
		"w(0,0,0,0)\nr(0,0,1,1)\n",
		"w 0 0\n-----\nr 0 0\n=====\nr 0 0\n",
		"{\"sessions\":[[{\"committed\":true,\"events\":[[\"w\",\"x\",1]]}]]}",
	};
	size_t accepted = 0;

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		for (size_t len = 0; len <= strlen(texts[t]); len++) {
			for (int f = HISTORY_AUTO; f <= HISTORY_DBCOP; f++) {
				struct history *h = NULL;
				struct pawl_error err = { 0 };

				if (read_as(texts[t], len, (enum history_format)f, &h, &err) ==
				    PAWL_OK)
					accepted++;
				pawl__history_free(h);
			}
		}
	}
	assert_true(accepted >= ARRAY_LEN(texts));
}

static void test_limits__depth(void **state)
{
	char text[256];
	size_t n = 0;

	(void)state;
	for (unsigned depth = HISTORY_DEPTH_MAX; depth <= HISTORY_DEPTH_MAX + 2; depth++) {
		n = (size_t)snprintf(text, sizeof(text), "{:type :ok :f :read :extra ");
		memset(text + n, '[', depth);
		memset(text + n + depth, ']', depth);
		n += (size_t)2 * depth;
		(void)snprintf(text + n, sizeof(text) - n, " :value 1}");
		if (depth <= HISTORY_DEPTH_MAX + 1)
			pawl__history_free(read_ok(text));
		else
			assert_error(text, "line 1, column 93: nested deeper than 64");
	}
}

static void test_limits__text_of_a_value(void **state)
{
	static const char head[] = "{:type :ok :f :write :value \"";
	const size_t len = sizeof(head) - 1 + HISTORY_TEXT_MAX;
	char *text = malloc(len + 16);
	struct history *h = NULL;
	struct pawl_error err = { 0 };

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len + 16);
	memcpy(text, head, sizeof(head) - 1);
	text[len] = '"';
	text[len + 1] = '}';
	assert_int_equal(read_as(text, len + 2, HISTORY_AUTO, &h, &err), PAWL_OK);
	assert_int_equal(history_text(h, h->mop_val[0]).len, HISTORY_TEXT_MAX);
	pawl__history_free(h);
	text[len] = 'x';
	text[len + 1] = '"';
	text[len + 2] = '}';
	h = NULL;
	assert_int_equal(read_as(text, len + 3, HISTORY_AUTO, &h, &err), PAWL_E_TOO_LARGE);
	assert_null(h);
	free(text);
}

static void test_load__what_is_not_there(void **state)
{
	struct history *h = NULL;
	struct pawl_error err = { 0 };
	const struct history_options o = { 0 };

	(void)state;
	assert_int_equal(pawl__history_load("no/such/file", &o, &h, &err), PAWL_E_NOT_FOUND);
	assert_int_equal(pawl__history_load(".", &o, &h, &err), PAWL_E_IO);
	assert_null(h);
}

/* So many rows that every column grows, with lines counted and processes beyond the small table. */
static void test_read__many_rows(void **state)
{
	enum { ROWS = 5000 };
	struct history *h;
	struct buf b;

	(void)state;
	pawl__buf_init(&b, 8 << 20);
	for (int i = 0; i < ROWS; i++) {
		char line[160];
		const int n = snprintf(line, sizeof(line),
		                       "{:type :invoke :process %d :f :txn :value [[:w %d nil]]}\n"
		                       "{:type :ok :process %d :f :txn :value [[:w %d \"v%d\"]]}\n",
		                       i * 50, i * 50, i * 50, i * 50, i % 77);

		pawl__buf_put(&b, line, (size_t)n);
	}
	pawl__buf_putc(&b, '\0');
	h = read_ok(b.data);
	assert_int_equal(h->ops_len, ROWS);
	assert_int_equal(h->keys_len, ROWS);
	assert_int_equal(h->processes_len, ROWS);
	assert_int_equal(h->names_len, 77);
	for (uint32_t i = 0; i < ROWS; i++) {
		assert_int_equal(h->line[i], 2 * i + 2);
		assert_int_equal(h->key[h->mop_key[h->mop_first[i]]], i * 50);
		assert_int_equal(h->process_name[h->process[i]], i * 50);
		assert_int_equal(h->mop_val[h->mop_first[i]], VALUE_NAME(i % 77));
		assert_int_equal(h->ret[i], h->inv[i] + 1);
	}
	pawl__history_free(h);
	pawl__buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edn__maps_in_lines_are_paired_by_process),
		cmocka_unit_test(test_edn__events_and_times_are_kept),
		cmocka_unit_test(test_edn__everything_of_the_language),
		cmocka_unit_test(test_edn__values_of_every_kind),
		cmocka_unit_test(test_edn__equal_values_are_equal_and_others_not),
		cmocka_unit_test(test_edn__one_key_is_one_number),
		cmocka_unit_test(test_lists__prefixes_are_lengths_and_others_apart),
		cmocka_unit_test(test_lists__numbers_that_begin_alike),
		cmocka_unit_test(test_lists__only_ok_rows_make_main_lists),
		cmocka_unit_test(test_shapes__bank_set_and_transfer),
		cmocka_unit_test(test_shapes__kv_has_its_key_beside_the_value),
		cmocka_unit_test(test_pairs__without_processes_by_what_is_done),
		cmocka_unit_test(test_pairs__of_one_process_at_once_by_the_transaction),
		cmocka_unit_test(test_pairs__a_second_completion_is_refused),
		cmocka_unit_test(test_pairs__the_nemesis_is_left_out),
		cmocka_unit_test(test_json__lines_arrays_and_null),
		cmocka_unit_test(test_etcd__lines_among_others),
		cmocka_unit_test(test_plume__both_dialects),
		cmocka_unit_test(test_awdit__sessions_and_transactions),
		cmocka_unit_test(test_dbcop__aborted_transactions_are_failures),
		cmocka_unit_test(test_read__garbage_is_refused_with_its_place),
		cmocka_unit_test(test_read__a_zero_byte_ends_nothing),
		cmocka_unit_test(test_read__every_prefix_is_handled),
		cmocka_unit_test(test_limits__depth),
		cmocka_unit_test(test_limits__text_of_a_value),
		cmocka_unit_test(test_load__what_is_not_there),
		cmocka_unit_test(test_read__many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
