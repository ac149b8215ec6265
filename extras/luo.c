/*
 * crash extension: `luo` prints what the dump's kernel hands over or was handed, `luo -d` what is wrong with it.
 * It runs luo-inspect on the dump that crash has open.
 *
 *     gcc -shared -fPIC -DX86_64 -I/usr/include/crash -o luo.so extras/luo.c
 *     crash> extend luo.so
 */
#include <crash/defs.h>

static void cmd_luo(void);
static char *help_luo[] = {
	"luo", "sessions and files of Kexec Handover and the Live Update Orchestrator", "[-d]",
	"  Runs luo-inspect on the dump: its report, or with -d its findings.", NULL
};
static struct command_table_entry commands[] = { { "luo", cmd_luo, help_luo, MINIMAL }, { NULL } };

static void cmd_luo(void)
{
	char *tool = getenv("LUO_INSPECT") ? getenv("LUO_INSPECT") : "luo-inspect";
	char *command = "report";
	pid_t child;
	int c, status;

	while ((c = getopt(argcnt, args, "d")) != EOF) {
		if (c == 'd')
			command = "diagnose";
		else
			cmd_usage(pc->curcmd, SYNOPSIS);
	}
	if (!pc->dumpfile)
		error(FATAL, "luo needs a dump; for a running machine use luo-inspect capture\n");
	fflush(fp);
	/* The name of the dump is an argument, never part of a shell's command. */
	child = fork();
	if (child == 0) {
		dup2(fileno(fp), STDOUT_FILENO);
		execlp(tool, tool, command, pc->dumpfile, (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		error(FATAL, "%s can't be started: install luo-inspect, or name it in LUO_INSPECT\n", tool);
}

void __attribute__((constructor)) luo_init(void)
{
	register_extension(commands);
}

void __attribute__((destructor)) luo_fini(void)
{
}
