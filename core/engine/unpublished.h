/* unpublished: in words, why what a call has emitted was not published, where nodes share a Redis. The codes are
 * the bus's (cluster/trunk.h). That is no failure of the rule. */
#pragma once

/* For who asked over HTTP: whether it may ask again, and what it knows. */
const char *unpublished_sentence(const char *code);

/* For explain, in few words. */
const char *unpublished_reason(const char *code);
