/* journal: who wants to know of every trigger that takes its place in the order:
 * a rig that shows a spec what went where. */
#pragma once

struct frame;

struct journal {
    /* Called once a trigger, in order, before anybody gets it. May take a reference, may not call
     * the hub. */
    void (*placed)(struct journal *journal, struct frame *frame);
};
