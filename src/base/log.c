/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define LOG_MSG_MAX 1024
/* As JSON a byte may become six, beside the time and the level. */
#define LOG_LINE_MAX (6 * LOG_MSG_MAX + 128)

static enum log_level log_up_to = LOG_INFO;
static bool log_json;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void pawl__log_init(enum log_level up_to, enum log_format format)
{
	log_up_to = up_to;
	log_json = format == LOG_FORMAT_JSON ||
	           (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO) != 1);
}

static void line_json(struct buf *line, enum log_level level, struct str msg)
{
	buf_lit(line, "{\"ts\":\"");
	pawl__clock_format(line, pawl__clock_real_us());
	buf_lit(line, "\",\"level\":\"");
	pawl__buf_put(line, level_names[level], strlen(level_names[level]));
	buf_lit(line, "\",\"msg\":");
	pawl__buf_json(line, msg);
	pawl__buf_putc(line, '}');
}

static void line_text(struct buf *line, enum log_level level, struct str msg)
{
	if (level < LOG_INFO) {
		pawl__buf_put(line, level_names[level], strlen(level_names[level]));
		buf_lit(line, ": ");
	}
	/* A line feed in a message would forge a second line, an escape the terminal's state. */
	for (size_t i = 0; i < msg.len; i++) {
		const char c = msg.ptr[i];
		const bool control = (unsigned char)c < 0x20 || c == 0x7f;

		pawl__buf_put(line, control ? " " : &c, 1);
	}
}

void pawl__log(enum log_level level, const char *fmt, ...)
{
	char mem[LOG_LINE_MAX], text[LOG_MSG_MAX];
	struct str msg = { text, 0 };
	struct buf line;
	va_list ap;
	int n;

	if (level > log_up_to)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	msg.len = strlen(text);
	/* The cut may have left up to three bytes of a character. */
	for (int i = 0; i < 3 && (size_t)n > msg.len && !pawl__str_utf8(msg); i++)
		msg.len--;
	pawl__buf_init_fixed(&line, mem, sizeof(mem));
	if (log_json)
		line_json(&line, level, msg);
	else
		line_text(&line, level, msg);
	pawl__buf_putc(&line, '\n');
	/* A log that cannot be written has nobody left to tell. */
	if (write(STDERR_FILENO, line.data, line.len) < 0)
		return;
}
