#include "server/ask.h"
#include "server/commands.h"

int command_reload(const struct arguments *arguments)
{
    const int status = ask_and_print(arguments, "POST", "/reload");
    return status == 0 ? EXIT_WRONG : status < 300 ? EXIT_GOOD : EXIT_FAILED;
}
