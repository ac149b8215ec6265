/*
 * The first process of a lab guest that is stopped at the jump: no shell, no Node, one static program, so that a snapshot is small and a
 * next kernel is asked within seconds. Reads /plan; in the first kernel makes and preserves what the plan says, loads /next and jumps; in
 * the next one (lab.next on the command line) asks for all of it back. A line an answer, to the second serial line.
 *
 *	session <name>
 *	memfd <token> <size> <seals> <position> <seed> <pages filled>
 *	end		the session's files end: it is finished by the next kernel
 *
 * Answers: `S <name> <errno>`, `F <token> <errno> <size> <position> <seals> <hash>`, `X <name> <errno>` (finish), `O <errno>` (open),
 * `K <address of machine_kexec>`, `END`. Source of the ioctls: include/uapi/linux/liveupdate.h, 7.3.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct create { uint32_t size; int32_t fd; uint8_t name[64]; };
struct preserve { uint32_t size; int32_t fd; uint64_t token __attribute__((aligned(8))); };
struct finish { uint32_t size; uint32_t reserved; };
#define CREATE_SESSION _IO(0xba, 0x00)
#define RETRIEVE_SESSION _IO(0xba, 0x01)
#define PRESERVE_FD _IO(0xba, 0x40)
#define RETRIEVE_FD _IO(0xba, 0x41)
#define SESSION_FINISH _IO(0xba, 0x42)

#define PAGE 4096
static int answers;

static void say(const char *format, ...)
{
	char line[512];
	__builtin_va_list args;
	__builtin_va_start(args, format);
	int length = vsnprintf(line, sizeof(line) - 1, format, args);
	__builtin_va_end(args);
	line[length] = '\n';
	if (write(answers, line, length + 1) < 0)
		_exit(1);
}

static int failed(int result) { return result < 0 ? errno : 0; }

static uint64_t mix(uint64_t z)
{
	z += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static void pattern(uint8_t *page, uint64_t seed, uint64_t number)
{
	uint64_t word[PAGE / 8];
	for (int i = 0; i < PAGE / 8; i++)
		word[i] = mix(seed * 0x100000001B3u + 512 * number + i);
	memcpy(page, word, PAGE);
	memset(page, 0, 32);
	snprintf((char *)page, 32, "LABPAGE %08x %012lx", (unsigned)seed, (unsigned long)number);
}

/* FNV-1a over the whole file; read past its end as far as it says it goes, up to 64 MiB */
static uint64_t hash_of(int fd, off_t size)
{
	static uint8_t buffer[65536];
	uint64_t hash = 0xcbf29ce484222325u;
	for (off_t at = 0; at < size && at < 64 << 20;) {
		ssize_t got = pread(fd, buffer, sizeof(buffer), at);
		if (got <= 0)
			return ~hash;
		for (ssize_t i = 0; i < got; i++)
			hash = (hash ^ buffer[i]) * 0x100000001b3u;
		at += got;
	}
	return hash;
}

static void describe(uint64_t token, int fd)
{
	struct stat stat;
	if (fstat(fd, &stat) < 0)
		memset(&stat, 0, sizeof(stat));
	say("F 0x%lx 0 %ld %ld %d %016lx", (unsigned long)token, (long)stat.st_size, (long)lseek(fd, 0, SEEK_CUR), fcntl(fd, F_GET_SEALS),
	    (unsigned long)hash_of(fd, stat.st_size));
}

static int has(const char *path, const char *what, char *line, int size)
{
	FILE *file = fopen(path, "r");
	int found = 0;
	while (file && !found && fgets(line, size, file))
		found = strstr(line, what) != NULL;
	if (file)
		fclose(file);
	return found;
}

static int make_session(int device, unsigned long request, const char *name, int *fd)
{
	struct create create = { .size = sizeof(create) };
	strncpy((char *)create.name, name, sizeof(create.name) - 1);
	int error = failed(ioctl(device, request, &create));
	*fd = error ? -1 : create.fd;
	return error;
}

static void preserve(int session, uint64_t token, off_t size, int seals, off_t position, uint64_t seed, int pages)
{
	int fd = memfd_create("lab", MFD_ALLOW_SEALING);
	uint8_t page[PAGE];
	if (fd < 0 || ftruncate(fd, size) < 0)
		say("F 0x%lx %d", (unsigned long)token, errno);
	for (int number = 0; number < pages; number++) {
		off_t at = (off_t)number * PAGE;
		pattern(page, seed, number);
		if (at < size && pwrite(fd, page, size - at < PAGE ? size - at : PAGE, at) < 0)
			say("F 0x%lx %d", (unsigned long)token, errno);
	}
	if (seals)
		fcntl(fd, F_ADD_SEALS, seals);
	lseek(fd, position, SEEK_SET);
	struct preserve argument = { .size = sizeof(argument), .fd = fd, .token = token };
	int error = failed(ioctl(session, PRESERVE_FD, &argument));
	if (error)
		say("F 0x%lx %d", (unsigned long)token, error);
	else
		describe(token, fd);
}

static void retrieve(int session, uint64_t token)
{
	struct preserve argument = { .size = sizeof(argument), .token = token };
	int error = failed(ioctl(session, RETRIEVE_FD, &argument));
	if (error)
		say("F 0x%lx %d", (unsigned long)token, error);
	else
		describe(token, argument.fd);
}

static void finish(int session, const char *name)
{
	struct finish argument = { .size = sizeof(argument) };
	say("X %s %d", name, failed(ioctl(session, SESSION_FINISH, &argument)));
}

static void jump(void)
{
	char line[4096], next[2048] = "";
	if (has("/proc/kallsyms", " T machine_kexec\n", line, sizeof(line)) || has("/proc/kallsyms", " t machine_kexec\n", line, sizeof(line)))
		say("K 0x%.16s", line);
	FILE *file = fopen("/next/cmdline", "r");
	if (!file || !fgets(next, sizeof(next), file))
		say("J %d", errno);
	next[strcspn(next, "\n")] = 0;
	int kernel = open("/next/vmlinuz", O_RDONLY), initrd = open("/next/initrd", O_RDONLY);
	say("L %d", failed(syscall(SYS_kexec_file_load, kernel, initrd, strlen(next) + 1, next, 0UL)));
	/* whoever drives the guest stops it now, and sets its trap */
	say("READY");
	sleep(8);
	sync();
	syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0x45584543, NULL);
	say("J %d", errno);
}

int main(void)
{
	char line[4096], name[128] = "";
	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	answers = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
	int next = has("/proc/cmdline", "lab.next", line, sizeof(line));
	int device = open("/dev/liveupdate", O_RDWR);
	say("O %d", failed(device));
	int session = -1;
	FILE *plan = fopen("/plan", "r");
	while (plan && fgets(line, sizeof(line), plan)) {
		uint64_t token, seed;
		long size, position;
		int seals, pages;
		if (sscanf(line, "session %127s", name) == 1) {
			say("S %s %d", name, make_session(device, next ? RETRIEVE_SESSION : CREATE_SESSION, name, &session));
		} else if (sscanf(line, "memfd %li %ld %d %ld %lu %d", (long *)&token, &size, &seals, &position, &seed, &pages) == 6) {
			if (session >= 0 && next)
				retrieve(session, token);
			else if (session >= 0)
				preserve(session, token, size, seals, position, seed, pages);
		} else if (next && session >= 0) {
			finish(session, name);
		}
	}
	if (!next)
		jump();
	say("END");
	sync();
	syscall(SYS_reboot, 0xfee1dead, 0x28121969, 0x4321fedc, NULL);
	for (;;)
		pause();
}
