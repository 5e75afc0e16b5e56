/* master: begins the workers of a config, each a server of its own on the same addresses, and keeps them: passes
 * signals on, begins anew who ended, tells systemd how all are. It serves nothing itself and loads no rules. */
#pragma once

struct config;

/* Until all workers have ended; returns the exit code. Takes the config. The first worker is waited for before the
 * others begin, so that faults of the rules are told once and end the start; its code is the master's then. */
int master_run(struct config *config);
