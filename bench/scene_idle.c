#include "scene.h"

#include <unistd.h>

#include "loop.h"
#include "proc.h"
#include "report.h"
#include "streams.h"

enum { SETTLE_MS = 1000 };

void scene_idle(const struct options *options)
{
    struct loop loop;
    struct streams streams = {
        .loop = &loop,
        .targets = options->targets,
        .request = {.host = options->host, .path = options->stream_path},
        .await_ready = options->await_ready,
    };

    loop_create(&loop);
    double before = (double)proc_pss_bytes(options->server);
    streams_open(&streams, options->streams);
    usleep(SETTLE_MS * 1000);
    double after = (double)proc_pss_bytes(options->server);

    report_begin("idle");
    report_number("streams", options->streams);
    report_number("pss_before", before);
    report_number("pss_after", after);
    report_number("bytes_per_stream", (after - before) / options->streams);
    report_end();
}
