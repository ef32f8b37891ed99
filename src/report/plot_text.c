/* See plot_text.h. Coverage is asked of fontconfig, which also chooses the fonts when gnuplot
 * draws through Cairo and Pango. */
#include "report/plot_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef TOKENMARK_HAVE_FONTCONFIG
#include <fontconfig/fontconfig.h>
#endif

#include "report/characters.h"

#ifdef TOKENMARK_HAVE_FONTCONFIG
struct plot_fonts {
    FcConfig *config;
    FcCharSet *covered;
};

struct plot_fonts *plot_fonts_open(void)
{
    struct plot_fonts *fonts = calloc(1, sizeof *fonts);
    FcConfig *config = FcInitLoadConfigAndFonts();
    FcPattern *pattern = FcNameParse((const FcChar8 *)PLOT_FONT_FAMILY);
    FcFontSet *sorted = NULL;
    if (fonts == NULL || config == NULL || pattern == NULL)
        goto fail;
    fonts->config = config;
    FcConfigSubstitute(config, pattern, FcMatchPattern);
    FcDefaultSubstitute(pattern);
    FcResult result = FcResultNoMatch;
    sorted = FcFontSort(config, pattern, FcTrue, &fonts->covered, &result);
    if (sorted == NULL || fonts->covered == NULL)
        goto fail;
    FcFontSetDestroy(sorted);
    FcPatternDestroy(pattern);
    return fonts;
fail:
    if (sorted != NULL)
        FcFontSetDestroy(sorted);
    if (pattern != NULL)
        FcPatternDestroy(pattern);
    if (config != NULL)
        FcConfigDestroy(config);
    free(fonts);
    return NULL;
}

void plot_fonts_close(struct plot_fonts *fonts)
{
    if (fonts == NULL)
        return;
    FcCharSetDestroy(fonts->covered);
    FcConfigDestroy(fonts->config);
    free(fonts);
}

static bool is_covered(const struct plot_fonts *fonts, uint32_t character)
{
    if (fonts == NULL)
        return character < 0x100;
    return FcCharSetHasChar(fonts->covered, character) == FcTrue;
}
#else
struct plot_fonts *plot_fonts_open(void)
{
    return NULL;
}

void plot_fonts_close(struct plot_fonts *fonts)
{
    (void)fonts;
}

static bool is_covered(const struct plot_fonts *fonts, uint32_t character)
{
    (void)fonts;
    return character < 0x100;
}
#endif

void plot_text_quote(struct text *out, const struct plot_fonts *fonts, const char *string)
{
    text_append(out, "'");
    while (*string != '\0') {
        uint32_t character = character_next(&string);
        char bytes[5];
        if (character_is_control(character))
            character = ' ';
        else if (character == CHARACTER_INVALID ||
                 (character >= 0x80 && !is_covered(fonts, character)))
            character = '?';
        character_encode(bytes, character);
        text_append(out, character == '\'' ? "''" : bytes);
    }
    text_append(out, "'");
}

/* Widths of DejaVu Sans in classes, in parts of the font size. */
static double character_width(uint32_t character)
{
    if (character_columns(character) == 2)
        return 1.03;
    if (character >= 0x80)
        return 0.75;
    if (strchr("ijl.,:;'|!I /()[]ft-", (int)character) != NULL)
        return 0.40;
    if (strchr("mwMW@%", (int)character) != NULL)
        return 0.98;
    if (character >= 'A' && character <= 'Z')
        return 0.72;
    return 0.64;
}

double plot_text_width(const char *string, double font_px)
{
    double width = 0;
    while (*string != '\0')
        width += character_width(character_next(&string));
    return width * font_px;
}

void plot_text_shorten(struct text *out, const char *string, double font_px, double width)
{
    if (plot_text_width(string, font_px) <= width) {
        text_append(out, string);
        return;
    }
    double half = (width - plot_text_width("...", font_px)) / 2;
    const char *head_end = string;
    for (double used = 0; *head_end != '\0';) {
        const char *next = head_end;
        used += character_width(character_next(&next)) * font_px;
        if (used > half)
            break;
        head_end = next;
    }
    const char *tail = head_end;
    while (*tail != '\0' && plot_text_width(tail, font_px) > half)
        character_next(&tail);
    text_append_bytes(out, string, (size_t)(head_end - string));
    text_append(out, "...");
    text_append(out, tail);
}
