/* The command line: which word does what. Exit codes: see commands.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "server/ask.h"
#include "server/commands.h"
#include "server/version.h"

static const char help[] =
    "Sluice, a Lua-scriptable event server.\n"
    "\n"
    "  sluice [run]              serve what the config file says\n"
    "  sluice check              load config and rules as a start would, print what would be served and\n"
    "                            what is probably not meant\n"
    "  sluice reload             make the running server load config and rules again; prints the outcome\n"
    "    --shadow                run the new rules beside the running ones, without delivering\n"
    "    --differences           what both made of the same events\n"
    "    --promote, --drop       let them take over, or forget them\n"
    "  sluice publish            publish an event on an ingest of the config's rules; prints the answer\n"
    "    --type TYPE             and --data JSON, @FILE or - (standard input), --id, --tag, --user, --key,\n"
    "                            --topic\n"
    "    --ingest NAME, --url URL    where, if the rules declare several, or to another server\n"
    "    --key-file FILE         whose first line opens it; without, the key is in SLUICE_KEY\n"
    "  sluice docs [FILE ...]    write what the streams of the config's rules, or of these, bring: a page in\n"
    "                            Markdown of streams, topics, types of triggers, ingests and routes\n"
    "  sluice tail URL           follow a stream: one line an event; or PATH, of the config's first listener\n"
    "    -H 'NAME: VALUE'        a header, as often as needed; --last-event-id ID, --json\n"
    "  sluice explain            say what became of the last triggers, and why somebody did not get them\n"
    "    --topic NAME, --user NAME, --id ID    of what: at least one of them\n"
    "    --last N, --json        so many of each app; as the admin listener answers it\n"
    "  sluice record             write down what reaches the running server: -o FILE, --for SECONDS\n"
    "  sluice replay FILE        run a recording through the config's rules, or --rules FILE ...; print\n"
    "                            the triggers (--json), or what is not as in --expect FILE\n"
    "  sluice spec [FILE ...]    run specs of rule files: busted with the rig\n"
    "  sluice new APP            write a rule file and its spec to start from\n"
    "  sluice conf               print a config file with every key explained\n"
    "  sluice --version\n"
    "  sluice --help\n"
    "\n"
    "Each but spec and new takes -c FILE; without, the config file is sse.lua.conf in this folder.\n"
    "What asks a running server finds it by the config's admin address, or by --admin ADDRESS (with\n"
    "the key in SLUICE_ADMIN_KEY). Of several workers reload and explain ask all, record the first; or that\n"
    "of --worker N, from 0.\n"
    "Signals: TERM and INT drain and end it, a second one at once; HUP reloads; USR1 opens log_file again.\n"
    "Exit codes: 0 well; 1 a server said no, specs failed, or a check found what is good but probably\n"
    "not meant, a replay is not as expected; 2 the command line, config or rules are wrong, an address\n"
    "is taken, nobody answers, or there is nothing to run.\n";

struct command {
    const char *name;
    int (*run)(const struct arguments *arguments);
    size_t words;            /* that it takes besides its options */
    const char *options[12]; /* see arguments.h; NULL: everything is handed on as words */
};

static int command_version(const struct arguments *arguments)
{
    (void)arguments;
    puts("sluice " SLUICE_VERSION);
    return EXIT_GOOD;
}

static int command_help(const struct arguments *arguments)
{
    (void)arguments;
    fputs(help, stdout);
    return EXIT_GOOD;
}

static const struct command commands[] = {
    {"run", command_run, 0, {"-c="}},
    {"check", command_check, 0, {"-c="}},
    {"reload", command_reload, 0,
     {ASK_OPTIONS, "--shadow", "--differences", "--drop", "--promote"}},
    {"publish", command_publish, 0,
     {"-c=", "--ingest=", "--url=", "--key-file=", "--type=", "--data=", "--id=", "--tag=",
      "--user=", "--key=", "--topic="}},
    {"docs", command_docs, 64, {"-c="}},
    {"tail", command_tail, 1, {"-c=", "-H=+", "--last-event-id=", "--json"}},
    {"explain", command_explain, 0,
     {ASK_OPTIONS, "--topic=", "--user=", "--id=", "--last=", "--json"}},
    {"record", command_record, 0, {ASK_OPTIONS, "-o=", "--for="}},
    {"replay", command_replay, 65, {"-c=", "--rules", "--expect=", "--json"}},
    {"spec", command_spec, 0, {NULL}},
    {"new", command_new, 0, {NULL}},
    {"conf", command_conf, 0, {"-c="}},
    {"docs-config", command_keys_page, 0, {"-c="}},
    {"docs-metrics", command_metrics_page, 0, {"-c="}},
    {"--version", command_version, 0, {"-c="}},
    {"-V", command_version, 0, {"-c="}},
    {"--help", command_help, 0, {"-c="}},
    {"-h", command_help, 0, {"-c="}},
    {"help", command_help, 0, {"-c="}},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int unknown(const char *word)
{
    const char *names[COMMANDS + 2];
    for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    names[COMMANDS] = "-c";
    names[COMMANDS + 1] = NULL;
    const char *nearest = text_nearest(word, names);
    fprintf(stderr, "sluice: unknown argument '%s'%s%s%s; see sluice --help\n", word,
            nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return EXIT_WRONG;
}

/* Takes the command out of the words: the first that is not the config's option. */
static const char *take_command(const char **words, size_t *count)
{
    size_t at = 0;
    while (at < *count && strcmp(words[at], "-c") == 0) at += 2;
    if (at >= *count) return "run";
    const char *command = words[at];
    memmove(words + at, words + at + 1, (--*count - at) * sizeof(*words));
    return command;
}

/* "sluice check --help". busted answers it for `sluice spec`. */
static bool asks_for_help(const struct command *command, const char **words, size_t count)
{
    for (size_t i = 0; command->run != command_spec && i < count; i++) {
        if (strcmp(words[i], "--") == 0) return false;
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) return true;
    }
    return false;
}

static int run(const struct command *command, const char **words, size_t count)
{
    struct arguments arguments = {.words = words, .word_count = count};
    char error[160];
    if (asks_for_help(command, words, count)) return command_help(&arguments);
    if (command->options[0] &&
        !arguments_read(&arguments, words, count, command->options, command->words, error)) {
        fprintf(stderr, "sluice %s: %s; see sluice --help\n", command->name, error);
        return EXIT_WRONG;
    }
    return command->run(&arguments);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? (size_t)argc - 1 : 0;
    const char **words = xcalloc(count, sizeof(*words));
    for (size_t i = 0; i < count; i++)
        words[i] = strcmp(argv[i + 1], "--config") == 0 ? "-c" : argv[i + 1];
    const char *name = take_command(words, &count);
    const struct command *command = find(name);
    const int code = command ? run(command, words, count) : unknown(name);
    xfree(words);
    return code;
}
