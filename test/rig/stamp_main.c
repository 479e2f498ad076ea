/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race_stamps - stamp_server as a process, and a relay with jitter before it.
 *
 *     race_stamps [--jitter-us MEAN DEVIATION]
 *
 * Prints its port, and with --jitter-us that of the relay behind it; ends with its stdin.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stamp_server.h"

int main(int argc, char **argv)
{
	const struct stamp_config config = { 0 };
	uint16_t port;
	struct stamp_server *s = stamp_server_start(&config, &port);
	char drop[64];

	if (s == NULL)
		return 1;
	(void)printf("%u\n", port);
	if (argc == 4 && strcmp(argv[1], "--jitter-us") == 0)
		(void)printf("%u\n", relay_start(port, strtol(argv[2], NULL, 10),
		                                 strtol(argv[3], NULL, 10)));
	(void)fflush(stdout);
	while (read(STDIN_FILENO, drop, sizeof(drop)) > 0)
		;
	stamp_server_stop(s);
	return 0;
}
