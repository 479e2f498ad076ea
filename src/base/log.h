/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/log - one line per event to stderr: text on a terminal, JSON lines otherwise.
 *
 * For the programs only: libpawl never logs. No keys, values or secrets: a caller logs what
 * happened and to how many, never to whom. Threads: any; a line is one write(2).
 */
#ifndef PAWL_BASE_LOG_H
#define PAWL_BASE_LOG_H

#include "base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Set once at start, before threads. */
void pawl__log_init(enum log_level up_to, enum log_format format);

PAWL_PRINTF(2, 3) void pawl__log(enum log_level level, const char *fmt, ...);

#define log_error(...) pawl__log(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  pawl__log(LOG_WARN, __VA_ARGS__)
#define log_info(...)  pawl__log(LOG_INFO, __VA_ARGS__)

#endif /* PAWL_BASE_LOG_H */
