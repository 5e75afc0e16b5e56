#include "scene.h"

#include "clock.h"
#include "die.h"
#include "loop.h"
#include "publisher.h"
#include "report.h"

enum { WARM_UP_POSTS = 2000 }; /* memory that only the first ones ask for, and full histories */

/* So many posts, or (0) as many as there are in the seconds. */
static void publish(struct publisher *publisher, unsigned count, double seconds)
{
    uint64_t start = publisher->asked;
    uint64_t start_ns = clock_now_ns();
    uint64_t now_ns = start_ns;

    while (count ? publisher->asked - start < count : (double)(now_ns - start_ns) < seconds * 1e9) {
        while (publisher_post(publisher, (unsigned)publisher->asked, now_ns)) {
        }
        publisher_flush(publisher);
        loop_turn(publisher->loop, 1000);
        if (publisher->refused) die("a post was answered %d", publisher->refused_with);
        now_ns = clock_now_ns();
    }
    publisher_await(publisher);
    if (publisher->refused) die("a post was answered %d", publisher->refused_with);
}

void scene_publish(const struct options *options)
{
    struct loop loop;
    struct window window = {.others = options->others};
    struct publisher publisher = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->post_path, .body = options->post_body, .header = options->header},
        .connections = options->connections,
        .depth = options->depth,
    };

    loop_create(&loop);
    publisher_open(&publisher);
    publish(&publisher, WARM_UP_POSTS, 0);

    uint64_t before = publisher.answered;

    window_begin(&window, options->server);
    publish(&publisher, 0, options->seconds);
    window_end(&window);

    report_begin("publish");
    report_number("posts", (double)(publisher.answered - before));
    report_window(&window, (double)(publisher.answered - before));
    report_end();
}
