/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return pawl__cli_main(argc, (const char *const *)argv, stdout, stderr);
}
