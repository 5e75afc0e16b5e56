/* status: the reason phrases (RFC 9110 section 15 and the IANA registry). */
#pragma once

/* "Not Found" for 404; "Unknown" for what is not registered. */
const char *http_status_text(int status);
