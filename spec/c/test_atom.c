/* Equal content, one pointer; counted; the table grows and goes. */
#include "base/atom.c"

#include <stdio.h>

#include "unit.h"

static void equal_content_is_one_pointer(void **state)
{
    (void)state;
    char ann[] = "user:ann";
    struct atom *first = atom_of("user:ann"), *second = atom_get(bytes_of(ann));
    assert_ptr_equal(first, second);
    assert_int_equal(first->refs, 2);
    assert_text(atom_bytes(first), "user:ann");
    assert_string_equal(first->text, "user:ann");
    struct atom *other = atom_of("user:anna");
    assert_ptr_not_equal(first, other);
    assert_int_equal(atom_live(), 2);
    atom_unref(first);
    assert_ptr_equal(atom_find(BYTES("user:ann")), second);
    atom_unref(second);
    assert_null(atom_find(BYTES("user:ann")));
    atom_unref(other);
    assert_int_equal(atom_live(), 0);
}

static void holds_any_bytes(void **state)
{
    (void)state;
    struct atom *empty = atom_get(bytes_run(NULL, 0));
    assert_ptr_equal(empty, atom_of(""));
    struct atom *nul = atom_get(BYTES("a\0b")), *a = atom_of("a");
    assert_ptr_not_equal(nul, a);
    assert_bytes(atom_bytes(nul), BYTES("a\0b"));
    assert_null(find(a->hash, BYTES("b"))); /* as if their hashes were equal */
    assert_ptr_equal(atom_find(BYTES("a\0b")), nul);
    atom_unref(empty), atom_unref(empty), atom_unref(nul), atom_unref(a);
}

static void takes_null(void **state)
{
    (void)state;
    assert_null(atom_ref(NULL));
    atom_unref(NULL);
    assert_null(atom_bytes(NULL).data);
    assert_null(atom_find(BYTES("nobody")));
}

static void finding_takes_no_reference(void **state)
{
    (void)state;
    struct atom *atom = atom_of("x");
    assert_ptr_equal(atom_find(BYTES("x")), atom);
    assert_int_equal(atom->refs, 1);
    assert_ptr_equal(atom_ref(atom), atom);
    assert_int_equal(atom->refs, 2);
    atom_unref(atom), atom_unref(atom);
    assert_int_equal(atom_live(), 0);
}

enum { MANY = 50000 };

static void tens_of_thousands_stay_quick_and_leave_nothing(void **state)
{
    (void)state;
    static struct atom *atoms[MANY];
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "channel:%d", i);
        atoms[i] = atom_of(name);
    }
    assert_int_equal(atom_live(), MANY);
    assert_in_range(table.size, MANY, 2 * MANY);

    uint32_t longest = 0;
    for (uint32_t i = 0; i < table.size; i++) {
        uint32_t length = 0;
        for (struct atom *atom = table.buckets[i]; atom; atom = atom->_next) length++;
        if (length > longest) longest = length;
    }
    assert_in_range(longest, 1, 12); /* balls in as many bins: 12 in one is beyond chance */

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "channel:%d", i);
        assert_ptr_equal(atom_find(bytes_of(name)), atoms[i]);
    }
    for (int i = 0; i < MANY; i++) {
        if (i % 1000 != 0) atom_unref(atoms[i]);
    }
    assert_in_range(table.size, SMALLEST, 1024); /* and shrinks with what it holds */
    for (int i = 0; i < MANY; i += 1000) {
        snprintf(name, sizeof(name), "channel:%d", i);
        assert_ptr_equal(atom_find(bytes_of(name)), atoms[i]);
        atom_unref(atoms[i]);
    }
    assert_int_equal(atom_live(), 0);
}

static struct atom *held;

static void unref_once_more(void)
{
    atom_unref(held);
}

static void refuses_to_count_below_zero(void **state)
{
    (void)state;
    held = atom_of("once");
    held->refs = 0; /* as freed memory would look at best */
    assert_aborts(unref_once_more);
    held->refs = 1;
    atom_unref(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(equal_content_is_one_pointer, nothing_left),
        cmocka_unit_test_teardown(holds_any_bytes, nothing_left),
        cmocka_unit_test_teardown(takes_null, nothing_left),
        cmocka_unit_test_teardown(finding_takes_no_reference, nothing_left),
        cmocka_unit_test_teardown(tens_of_thousands_stay_quick_and_leave_nothing, nothing_left),
        cmocka_unit_test_teardown(refuses_to_count_below_zero, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
