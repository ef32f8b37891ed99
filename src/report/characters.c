/* UTF-8 read strictly; see characters.h. */
#include "report/characters.h"

#include <stddef.h>

uint32_t character_next(const char **string)
{
    const unsigned char *byte = (const unsigned char *)*string;
    uint32_t first = byte[0];
    if (first == 0)
        return 0;
    *string += 1;
    if (first < 0x80)
        return first;
    static const struct {
        uint32_t lead, lead_mask, minimum;
        int more;
    } forms[] = {{0xC0, 0xE0, 0x80, 1}, {0xE0, 0xF0, 0x800, 2}, {0xF0, 0xF8, 0x10000, 3}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if ((first & forms[i].lead_mask) != forms[i].lead)
            continue;
        uint32_t character = first & ~forms[i].lead_mask;
        for (int k = 1; k <= forms[i].more; k++) {
            if ((byte[k] & 0xC0) != 0x80)
                return CHARACTER_INVALID;
            character = character << 6 | (byte[k] & 0x3F);
        }
        if (character < forms[i].minimum || character > 0x10FFFF ||
            (character >= 0xD800 && character <= 0xDFFF))
            return CHARACTER_INVALID;
        *string += forms[i].more;
        return character;
    }
    return CHARACTER_INVALID;
}

void character_encode(char out[5], uint32_t character)
{
    size_t length = 0;
    if (character < 0x80) {
        out[length++] = (char)character;
    } else if (character < 0x800) {
        out[length++] = (char)(0xC0 | character >> 6);
    } else if (character < 0x10000) {
        out[length++] = (char)(0xE0 | character >> 12);
        out[length++] = (char)(0x80 | (character >> 6 & 0x3F));
    } else {
        out[length++] = (char)(0xF0 | character >> 18);
        out[length++] = (char)(0x80 | (character >> 12 & 0x3F));
        out[length++] = (char)(0x80 | (character >> 6 & 0x3F));
    }
    if (character >= 0x80)
        out[length++] = (char)(0x80 | (character & 0x3F));
    out[length] = '\0';
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t character)
{
    for (size_t i = 0; i < count; i++) {
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    }
    return false;
}

bool character_is_control(uint32_t character)
{
    static const struct range ranges[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x200B, 0x200F},
        {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB},
    };
    return in_ranges(ranges, sizeof ranges / sizeof ranges[0], character);
}

int character_columns(uint32_t character)
{
    static const struct range wide[] = {
        {0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
        {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD},
    };
    return in_ranges(wide, sizeof wide / sizeof wide[0], character) ? 2 : 1;
}
