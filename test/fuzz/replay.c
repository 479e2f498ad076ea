/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay DIR - give every file of a corpus to a fuzz target once, where there is no libFuzzer.
 * Fails when there is no file: a corpus that was not found tests nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *dir, const char *name)
{
	char path[4096];
	uint8_t *data;
	size_t len;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -1;
	f = fopen(path, "rbe");
	data = malloc(INPUT_MAX);
	if (f == NULL || data == NULL) {
		perror(path);
		free(data);
		if (f != NULL)
			(void)fclose(f);
		return -1;
	}
	len = fread(data, 1, INPUT_MAX, f);
	(void)fclose(f);
	if (len > 0) {
		/* To size, so that a read past the end is seen. */
		uint8_t *exact = realloc(data, len);

		data = exact == NULL ? data : exact;
	}
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *e;
	int n = 0, bad = 0;

	if (dir == NULL) {
		(void)fprintf(stderr, "usage: replay DIR\n");
		return 2;
	}
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		bad |= replay(argv[1], e->d_name);
		n++;
	}
	(void)closedir(dir);
	(void)printf("%d inputs\n", n);
	return n == 0 || bad != 0;
}
