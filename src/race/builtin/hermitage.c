/* SPDX-License-Identifier: Apache-2.0 */
#include "race/builtin/hermitage.h"

#include <string.h>

#include "base/error.h"
#include "race/builtin/session.h"

#define CELLS_TEXT_MAX 256
#define SET(id, v)     "UPDATE pawl_race.test SET value = " #v " WHERE id = " #id
#define GET(id)        "SELECT value FROM pawl_race.test WHERE id = " #id
#define GET_ALL        "SELECT value FROM pawl_race.test ORDER BY id"
#define GET_THIRDS     "SELECT id, value FROM pawl_race.test WHERE value % 3 = 0"
#define ADD(id, v)     "INSERT INTO pawl_race.test VALUES (" #id ", " #v ")"
#define NEVER                                                                                      \
	{                                                                                          \
		true, true, true                                                                   \
	}

const struct hermitage pawl__hermitage[] = {
	{ "G0",
	  NEVER,
	  { { 0, SET(1, 11), NULL },
	    { 1, SET(1, 12), NULL },
	    { 0, SET(2, 21), NULL },
	    { 0, "COMMIT", NULL },
	    { 1, SET(2, 22), NULL },
	    { 1, "COMMIT", NULL },
	    { 2, GET_ALL, "11 22|12 21" } } },
	{ "G1a",
	  NEVER,
	  { { 0, SET(1, 101), NULL },
	    { 1, GET_ALL, "101 20" },
	    { 0, "ROLLBACK", NULL },
	    { 1, GET_ALL, NULL },
	    { 1, "COMMIT", NULL } } },
	{ "G1b",
	  NEVER,
	  { { 0, SET(1, 101), NULL },
	    { 1, GET_ALL, "101 20" },
	    { 0, SET(1, 11), NULL },
	    { 0, "COMMIT", NULL },
	    { 1, GET_ALL, NULL },
	    { 1, "COMMIT", NULL } } },
	{ "G1c",
	  NEVER,
	  { { 0, SET(1, 11), NULL },
	    { 1, SET(2, 22), NULL },
	    { 0, GET(2), "22" },
	    { 1, GET(1), "11" },
	    { 0, "COMMIT", NULL },
	    { 1, "COMMIT", NULL } } },
	{ "OTV",
	  NEVER,
	  { { 0, SET(1, 11), NULL },
	    { 0, SET(2, 19), NULL },
	    { 1, SET(1, 12), NULL },
	    { 0, "COMMIT", NULL },
	    { 2, GET(1), "11" },
	    { 1, SET(2, 18), NULL },
	    { 2, GET(2), "18" },
	    { 1, "COMMIT", NULL },
	    { 2, "COMMIT", NULL } } },
	{ "PMP",
	  { false, true, true },
	  { { 0, "SELECT id, value FROM pawl_race.test WHERE value = 30", "" },
	    { 1, ADD(3, 30), NULL },
	    { 1, "COMMIT", NULL },
	    { 0, GET_THIRDS, "3 30" },
	    { 0, "COMMIT", NULL } } },
	{ "P4",
	  { false, true, true },
	  { { 0, GET(1), NULL },
	    { 1, GET(1), NULL },
	    { 0, SET(1, 11), NULL },
	    { 1, SET(1, 12), "" },
	    { 0, "COMMIT", "" },
	    { 1, "COMMIT", "" } } },
	{ "G-single",
	  { false, true, true },
	  { { 0, GET(1), "10" },
	    { 1, GET_ALL, NULL },
	    { 1, SET(1, 12), NULL },
	    { 1, SET(2, 18), NULL },
	    { 1, "COMMIT", NULL },
	    { 0, GET(2), "18" },
	    { 0, "COMMIT", NULL } } },
	{ "G2-item",
	  { false, false, true },
	  { { 0, GET_ALL, "10 20" },
	    { 1, GET_ALL, "10 20" },
	    { 0, SET(1, 11), "" },
	    { 1, SET(2, 21), "" },
	    { 0, "COMMIT", "" },
	    { 1, "COMMIT", "" } } },
	{ "G2",
	  { false, false, true },
	  { { 0, GET_THIRDS, "" },
	    { 1, GET_THIRDS, "" },
	    { 0, ADD(3, 30), "" },
	    { 1, ADD(4, 42), "" },
	    { 0, "COMMIT", "" },
	    { 1, "COMMIT", "" } } },
	{ .name = NULL },
};

struct stage {
	struct session *admin, *sessions[HERMITAGE_SESSIONS];
	const struct hermitage_step *waits[HERMITAGE_SESSIONS]; /* not answered yet */
	bool happened;
};

static void cells_text(const struct reply *r, char *ret)
{
	struct buf b;

	pawl__buf_init_fixed(&b, ret, CELLS_TEXT_MAX - 1);
	for (size_t i = 0; i < r->cells_len; i++) {
		buf_str(&b, i == 0 ? STR("") : STR(" "));
		buf_str(&b, r->cells[i]);
	}
	ret[b.len] = '\0';
}

static bool is_marked(const char *marked, const struct reply *r)
{
	char text[CELLS_TEXT_MAX];
	const size_t len = (cells_text(r, text), strlen(text));

	if (r->class != REPLY_OK)
		return false;
	if (marked[0] == '\0')
		return true;
	for (const char *p = marked; p != NULL; p = strchr(p, '|')) {
		p += *p == '|' ? 1 : 0;
		if (strncmp(p, text, len) == 0 && (p[len] == '\0' || p[len] == '|') && len > 0)
			return true;
	}
	return false;
}

static void answered(struct stage *g, const struct hermitage_step *step, const struct reply *r)
{
	g->waits[step->session] = NULL;
	if (step->marked != NULL && !is_marked(step->marked, r))
		g->happened = false;
}

/* Once; or until the answer when it must be there before the session can go on. */
static void await(struct stage *g, int session, bool until)
{
	const struct hermitage_step *step = g->waits[session];
	struct reply r;

	while (step != NULL) {
		if (pawl__store_pg.attempt(g->sessions[session], g->admin, pawl__str_of(step->sql),
		                           true, &r) == SESSION_ANSWERED) {
			answered(g, step, &r);
			return;
		}
		if (!until)
			return;
	}
}

static void step_do(struct stage *g, const struct hermitage_step *step)
{
	struct session *s = g->sessions[step->session];
	struct reply r;

	await(g, step->session, true);
	if (pawl__store_pg.attempt(s, g->admin, pawl__str_of(step->sql), false, &r) ==
	    SESSION_ANSWERED)
		answered(g, step, &r);
	else
		g->waits[step->session] = step;
	for (int i = 0; i < HERMITAGE_SESSIONS; i++)
		await(g, i, false);
}

static enum pawl_status exec(struct session *s, const char *sql, struct pawl_error *err)
{
	struct reply r;

	pawl__store_pg.exec(s, pawl__str_of(sql), NULL, &r);
	return r.class == REPLY_OK ? PAWL_OK
	                           : pawl__error_set(err, PAWL_E_IO, "PostgreSQL: %s", r.text);
}

static enum pawl_status stage_set(struct stage *g, const char *url, enum hermitage_level level,
                                  struct pawl_error *err)
{
	static const char *const begins[HERMITAGE_LEVELS] = {
		"BEGIN ISOLATION LEVEL READ COMMITTED",
		"BEGIN ISOLATION LEVEL REPEATABLE READ",
		"BEGIN ISOLATION LEVEL SERIALIZABLE",
	};
	enum pawl_status st = pawl__store_pg.open(url, &g->admin, err);

	if (st == PAWL_OK)
		st = pawl__store_pg.prepare(g->admin, err);
	if (st == PAWL_OK)
		st = exec(g->admin,
		          "CREATE TABLE pawl_race.test (id INT PRIMARY KEY, value INT NOT NULL); "
		          "INSERT INTO pawl_race.test VALUES (1, 10), (2, 20)",
		          err);
	for (int i = 0; i < HERMITAGE_SESSIONS && st == PAWL_OK; i++) {
		st = pawl__store_pg.open(url, &g->sessions[i], err);
		if (st == PAWL_OK)
			pawl__store_pg.explore(g->sessions[i]);
		if (st == PAWL_OK)
			st = exec(g->sessions[i], begins[level], err);
	}
	return st;
}

enum pawl_status pawl__hermitage_run(const char *url, const struct hermitage *anomaly,
                                     enum hermitage_level level, bool *ret_happened,
                                     struct pawl_error *err)
{
	struct stage g = { .happened = true };
	enum pawl_status st = stage_set(&g, url, level, err);

	for (const struct hermitage_step *s = anomaly->steps; st == PAWL_OK && s->sql != NULL; s++)
		step_do(&g, s);
	for (int i = 0; i < HERMITAGE_SESSIONS; i++) {
		await(&g, i, st == PAWL_OK);
		pawl__store_pg.close(g.sessions[i]);
	}
	if (st == PAWL_OK)
		*ret_happened = g.happened;
	if (g.admin != NULL && st == PAWL_OK)
		pawl__store_pg.clean(g.admin);
	pawl__store_pg.close(g.admin);
	return st;
}
