/*
 * Reads a handover of 7.3 out of an ELF core and holds its folio tables against the preserved memory map: what `luo-inspect diagnose`
 * is measured beside. Offsets are literal, read off include/linux/kho/abi and include/linux/kexec_handover.h, 7.3.
 *
 *	reader <core> [<address of the root FDT>]
 *
 * Without the address the start of every page is looked at, and every 8 bytes for a setup_data node, as the tool does.
 * Prints counts on standard output, and CPU time (ms) and peak memory (KiB) on standard error.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ull
#define WINDOW (64ull << 20)

static const unsigned char *file;
static uint64_t size, memory;
static struct { uint64_t start, bytes, offset; } loads[4096];
static int nloads;
static uint64_t *claimed, *preserved;
static uint64_t blocks, sessions, files, folios, wrong, unclaimed;

static void fail(const char *why)
{
	fprintf(stderr, "reader: %s\n", why);
	exit(2);
}

static const void *at(uint64_t address)
{
	for (int i = 0; i < nloads; i++)
		if (address >= loads[i].start && address + PAGE <= loads[i].start + loads[i].bytes)
			return file + loads[i].offset + (address - loads[i].start);
	fail("an address that is not there");
	return NULL;
}

static uint64_t u64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static uint32_t be32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static int bit(const uint64_t *set, uint64_t n) { return n < memory / PAGE && (set[n >> 6] >> (n & 63) & 1); }

static int take(uint64_t *set, uint64_t n)
{
	if (n >= memory / PAGE || bit(set, n))
		return 0;
	set[n >> 6] |= 1ull << (n & 63);
	return 1;
}

static void walk(uint64_t node, int level, uint64_t prefix)
{
	const unsigned char *page = at(node);

	if (level == 0) {
		for (uint64_t word = 0; word < PAGE / 8; word++)
			for (uint64_t w = u64(page + word * 8); w; w &= w - 1) {
				uint64_t key = prefix << 15 | word * 64 | __builtin_ctzll(w);
				int order = 52 - (63 - __builtin_clzll(key));
				blocks++;
				if (order == 0)
					take(preserved, key & ((1ull << 52) - 1));
				else
					wrong++;
			}
		return;
	}
	for (int i = 0; i < 512; i++) {
		uint64_t next = u64(page + i * 8);
		if (next)
			walk(next, level - 1, prefix << 9 | i);
	}
}

static void use(uint64_t address)
{
	if (!bit(preserved, address / PAGE) || !take(claimed, address / PAGE))
		wrong++;
}

static void memfd(uint64_t data)
{
	const unsigned char *ser = at(data & ~(PAGE - 1)) + (data & (PAGE - 1));
	uint64_t bytes = u64(ser + 8), count = u64(ser + 24), chunk = u64(ser + 32), done = 0;

	use(data);
	while (chunk) {
		const unsigned char *list = at(chunk);
		use(chunk);
		for (int i = 0; i < 511; i++) {
			uint64_t page = u64(list + 8 + i * 8);
			if (!page)
				break;
			use(page);
			const unsigned char *table = at(page);
			for (int e = 0; e < 256 && done < count; e++, done++) {
				uint64_t first = u64(table + e * 16), pfn = first & ((1ull << 52) - 1);
				folios++;
				if (first >> 52 != 3 || u64(table + e * 16 + 8) != done || done * PAGE >= bytes)
					wrong++;
				else if (!bit(preserved, pfn) || !take(claimed, pfn))
					wrong++;
			}
		}
		chunk = u64(list);
	}
	if (done != count || count * PAGE != bytes)
		wrong++;
}

static void file_blocks(uint64_t block)
{
	while (block) {
		const unsigned char *page = at(block);
		use(block);
		for (uint64_t i = 0; i < u64(page + 8); i++, files++)
			if (!strcmp((const char *)page + 16 + i * 64, "memfd-v2"))
				memfd(u64(page + 16 + i * 64 + 48));
		block = u64(page);
	}
}

static uint64_t property(const unsigned char *fdt, const char *name, int nth)
{
	const unsigned char *p = fdt + be32(fdt + 8), *strings = fdt + be32(fdt + 12);

	for (;;) {
		uint32_t token = be32(p);
		p += 4;
		if (token == 1)
			p += (strlen((const char *)p) + 4) & ~3ull;
		else if (token == 3) {
			uint32_t len = be32(p);
			if (!strcmp((const char *)strings + be32(p + 4), name) && nth-- == 0)
				return u64(p + 8);
			p += 8 + ((len + 3) & ~3u);
		} else if (token == 9)
			fail("a property is not there");
	}
}

static uint64_t scan(int fd)
{
	uint64_t fdt = 0, nodes = 0;
	unsigned char *window = malloc(WINDOW);

	for (int l = 0; l < nloads; l++)
		for (uint64_t done = 0; done < loads[l].bytes; done += WINDOW) {
			ssize_t got = pread(fd, window, loads[l].bytes - done < WINDOW ? loads[l].bytes - done : WINDOW, loads[l].offset + done);
			for (ssize_t i = 0; i + 8 <= got; i += 8)
				if (u64(window + i) == (32ull << 32 | 10))
					nodes++;
			for (ssize_t i = 0; i + (ssize_t)PAGE <= got; i += PAGE)
				if (be32(window + i) == 0xd00dfeed && !fdt)
					fdt = loads[l].start + done + i;
		}
	free(window);
	printf("%lu nodes of setup_data\n", nodes);
	return fdt;
}

int main(int argc, char **argv)
{
	struct stat st;
	struct rusage used;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || fstat(fd, &st))
		fail("no file");
	size = st.st_size;
	file = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (file == MAP_FAILED)
		fail("mmap");
	const Elf64_Ehdr *ehdr = (const void *)file;
	const Elf64_Phdr *phdr = (const void *)(file + ehdr->e_phoff);
	for (int i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type != PT_LOAD || !phdr[i].p_filesz || nloads == 4096)
			continue;
		loads[nloads].start = phdr[i].p_paddr;
		loads[nloads].bytes = phdr[i].p_filesz;
		loads[nloads++].offset = phdr[i].p_offset;
		if (phdr[i].p_paddr + phdr[i].p_filesz > memory)
			memory = phdr[i].p_paddr + phdr[i].p_filesz;
	}
	claimed = calloc(memory / PAGE / 64 + 1, 8);
	preserved = calloc(memory / PAGE / 64 + 1, 8);

	uint64_t root = argc > 2 ? strtoull(argv[2], NULL, 0) : scan(fd);
	const unsigned char *fdt = at(root);
	walk(property(fdt, "preserved-memory-map", 0), 5, 0);
	use(root);
	uint64_t luo = property(fdt, "preserved-data", 0);
	const unsigned char *ser = at(luo);
	use(luo);
	for (uint64_t block = u64(ser + 16); block;) {
		const unsigned char *page = at(block);
		use(block);
		for (uint64_t i = 0; i < u64(page + 8); i++, sessions++)
			file_blocks(u64(page + 16 + i * 80 + 64));
		block = u64(page);
	}
	for (uint64_t i = 0; i < memory / PAGE / 64; i++)
		unclaimed += __builtin_popcountll(preserved[i] & ~claimed[i]);
	printf("%lu blocks, %lu sessions, %lu files, %lu folios, %lu wrong, %lu unclaimed\n", blocks, sessions, files, folios, wrong, unclaimed);
	getrusage(RUSAGE_SELF, &used);
	fprintf(stderr, "%ld %ld\n", used.ru_utime.tv_sec * 1000 + used.ru_utime.tv_usec / 1000 + used.ru_stime.tv_sec * 1000 + used.ru_stime.tv_usec / 1000, used.ru_maxrss);
	return wrong > 0;
}
