/* version: what `--version` and the user agent of our requests say. */
#pragma once

#define SLUICE_VERSION "0.1.0"
