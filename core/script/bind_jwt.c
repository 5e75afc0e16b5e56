/* bind_jwt: JSON Web Tokens (RFC 7519), read, verified and signed by libjwt; the
 * one file that knows it. What a token must say is for the library to judge
 * (scripts/sluice/jwt.lua): libjwt takes an expired one, and an HS256 one that was
 * signed with the text of an RSA public key. So a key is only ever tried with the
 * algorithm that it was declared for, and what libjwt says it used is compared
 * once more. */
#include <jwt.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "script/bind.h"
#include "script/values.h"

enum {
    TOKEN_MAX = 8192,
    KID_MAX = 256,
    TEXT_MAX = 65536 /* what a token says, written anew: a number may get longer */
};

/* What libjwt gave, once that is freed: Lua may raise where it makes a value of it. */
static char text_of[TEXT_MAX];

/* Takes a text of libjwt's over; false: there is none, or it is too long. */
static bool keep(char *text)
{
    const bool good = text && strlen(text) < sizeof text_of;
    if (good) memcpy(text_of, text, strlen(text) + 1);
    free(text);
    return good;
}

/* Three parts of base64url (RFC 7515, 7.1), of which the last may be empty. libjwt stops decoding at what is none,
 * and takes a key pair's token with anything behind it. */
static bool is_compact(const char *token, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const size_t header = strspn(token, letters);
    const size_t claims = token[header] == '.' ? strspn(token + header + 1, letters) : 0;
    const char *end = token + header + 1 + claims;
    if (!header || !claims || *end != '.') return false;
    return end + 1 + strspn(end + 1, letters) == token + size;
}

/* The token at 1, if libjwt can be given it: it takes a C text, and what it decodes is in proportion. */
static const char *token_at(lua_State *L)
{
    size_t size;
    if (lua_type(L, 1) != LUA_TSTRING) return NULL;
    const char *token = lua_tolstring(L, 1, &size);
    return size <= TOKEN_MAX && is_compact(token, size) ? token : NULL;
}

/* Has its header what must be understood and is not (RFC 7515, 4.1.11)? */
static bool is_critical(jwt_t *jwt)
{
    char *text = jwt_get_headers_json(jwt, "crit");
    free(text);
    return text != NULL;
}

/* jwt_read(token): what it says it was made with: algorithm and key id, or nil; unverified */
static int l_read(lua_State *L)
{
    const char *token = token_at(L);
    char alg[16] = "", kid[KID_MAX] = "";
    jwt_t *jwt = NULL;
    if (!token || jwt_decode(&jwt, token, NULL, 0) != 0) return 0;
    const char *said_alg = jwt_get_header(jwt, "alg"), *said_kid = jwt_get_header(jwt, "kid");
    const bool good = said_alg && strlen(said_alg) < sizeof alg &&
                      (!said_kid || strlen(said_kid) < sizeof kid) && !is_critical(jwt);
    const bool named = good && said_kid;
    if (good) memcpy(alg, said_alg, strlen(said_alg) + 1);
    if (named) memcpy(kid, said_kid, strlen(said_kid) + 1);
    jwt_free(jwt);
    if (!good) return 0;
    lua_pushstring(L, alg);
    lua_pushstring(L, named ? kid : NULL);
    return 2;
}

/* Has this key signed the token, with this algorithm? Then its claims are kept. */
static bool verify(const char *token, const char *alg, struct bytes key)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, token, (const unsigned char *)key.data, (int)key.size) != 0) return false;
    const jwt_alg_t used = jwt_get_alg(jwt);
    const bool good = used != JWT_ALG_NONE && used == jwt_str_alg(alg);
    const bool kept = good && keep(jwt_get_grants_json(jwt, NULL));
    jwt_free(jwt);
    return kept;
}

/* jwt_verify(token, alg, key): its claims, or nil */
static int l_verify(lua_State *L)
{
    const char *token = token_at(L), *alg = luaL_checkstring(L, 2);
    struct bytes key;
    key.data = luaL_checklstring(L, 3, &key.size);
    if (!token || !key.size || !verify(token, alg, key)) return 0;
    return text_of[0] == '{' && json_decode(L, bytes_of(text_of));
}

static bool sign(const char *claims, const char *alg, struct bytes key, const char *kid)
{
    jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0) return false;
    const bool good =
        jwt_add_grants_json(jwt, claims) == 0 &&
        jwt_set_alg(jwt, jwt_str_alg(alg), (const unsigned char *)key.data, (int)key.size) == 0 &&
        (!kid || jwt_add_header(jwt, "kid", kid) == 0);
    const bool kept = good && keep(jwt_encode_str(jwt));
    jwt_free(jwt);
    return kept;
}

/* jwt_sign(claims as JSON, alg, key, kid or nil): the token, or nil: the key is none for this, or it is too long */
static int l_sign(lua_State *L)
{
    const char *claims = luaL_checkstring(L, 1), *alg = luaL_checkstring(L, 2);
    struct bytes key;
    key.data = luaL_checklstring(L, 3, &key.size);
    if (!sign(claims, alg, key, luaL_optstring(L, 4, NULL))) return 0;
    lua_pushstring(L, text_of);
    return 1;
}

void bind_jwt(lua_State *L)
{
    static const luaL_Reg functions[] = {{"jwt_read", l_read},
                                         {"jwt_verify", l_verify},
                                         {"jwt_sign", l_sign},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
