/* Writes one workbook with libxlsxwriter in constant_memory mode, from the tokens that lines.py describes.
 *
 * usage: libxlsxwriter_cases OUTPUT <TOKENS      (or --version)
 *
 * Every error code that the library returns is looked at, as a careful user does. Exit status: 0 written, 1 refused by
 * the library (it says why on stderr), 2 bad usage or input, 3 the API has no way to say this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xlsxwriter.h>

enum { MOST_COLUMNS = 64 };

struct state {
    lxw_workbook *book;
    lxw_worksheet *sheet;
    lxw_format *bold, *date;
    lxw_row_t row;
    lxw_col_t column, columns;
};

static void check(lxw_error error) {
    if (error == LXW_NO_ERROR) return;
    fprintf(stderr, "%s\n", lxw_strerror(error));
    exit(1);
}

static void bad(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(2);
}

/* Reads `letter number :` and, where the letter has a payload, that many bytes. Gives 0 at the end. */
static int next_token(int *letter, long long *number, char **data) {
    *letter = getchar();
    if (*letter == EOF) return 0;
    if (scanf("%lld", number) != 1 || getchar() != ':') bad("bad token");
    free(*data);
    *data = NULL;
    if (!strchr("SCDT", *letter)) return 1;
    *data = calloc((size_t)*number + 1, 1);
    if (!*data || fread(*data, 1, (size_t)*number, stdin) != (size_t)*number) bad("cut token");
    if (strlen(*data) != (size_t)*number) {
        fprintf(stderr, "a C string cannot hold U+0000\n");
        exit(3);
    }
    return 1;
}

static void end_sheet(struct state *s) {
    if (s->sheet) check(worksheet_autofilter(s->sheet, 0, 0, s->row ? s->row - 1 : 0, s->columns ? s->columns - 1 : 0));
}

static void begin_sheet(struct state *s, const char *name) {
    end_sheet(s);
    check(workbook_validate_sheet_name(s->book, name));
    s->sheet = workbook_add_worksheet(s->book, name);
    if (!s->sheet) check(LXW_ERROR_PARAMETER_VALIDATION);
    s->row = s->column = s->columns = 0;
    worksheet_freeze_panes(s->sheet, 1, 0);
}

/* Days since 1970-01-01 as a civil date: Howard Hinnant's civil_from_days. */
static lxw_datetime civil(long long days) {
    long long shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    long long doe = shifted - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    long long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), month = (5 * doy + 2) / 153;
    lxw_datetime result = {0};
    result.day = (int)(doy - (153 * month + 2) / 5 + 1);
    result.month = (int)(month < 10 ? month + 3 : month - 9);
    result.year = (int)(yoe + era * 400 + (result.month <= 2 ? 1 : 0));
    return result;
}

static void take(struct state *s, int letter, long long number, const char *data) {
    lxw_datetime day;
    if (letter == 'S') {
        begin_sheet(s, data);
        return;
    }
    if (!s->sheet) bad("no sheet yet");
    switch (letter) {
    case 'C':
    case 'D':
        if (s->columns >= MOST_COLUMNS) bad("too many columns");
        check(worksheet_write_string(s->sheet, 0, s->columns++, data, s->bold));
        break;
    case 'H':
    case 'R':
        s->row++;
        s->column = 0;
        break;
    case 'T':
        check(worksheet_write_string(s->sheet, s->row, s->column++, data, NULL));
        break;
    case 'N':
        day = civil(number);
        check(worksheet_write_datetime(s->sheet, s->row, s->column++, &day, s->date));
        break;
    case 'E':
        s->column++;
        break;
    default:
        bad("unknown token");
    }
}

int main(int argc, char **argv) {
    lxw_workbook_options options = {.constant_memory = LXW_TRUE};
    lxw_doc_properties properties = {.title = "Traps", .author = "traps.py", .created = 1767225600};
    struct state s = {0};
    long long number = 0;
    char *data = NULL;
    int letter;

    if (argc != 2) bad("usage: libxlsxwriter_cases OUTPUT");
    if (!strcmp(argv[1], "--version")) {
        puts(LXW_VERSION);
        return 0;
    }
    s.book = workbook_new_opt(argv[1], &options);
    if (!s.book) bad("cannot create the file");
    check(workbook_set_properties(s.book, &properties));
    s.bold = workbook_add_format(s.book);
    format_set_bold(s.bold);
    s.date = workbook_add_format(s.book);
    format_set_num_format(s.date, "yyyy-mm-dd");
    while (next_token(&letter, &number, &data)) take(&s, letter, number, data);
    end_sheet(&s);
    check(workbook_close(s.book));
    free(data);
    puts("{}");
    return 0;
}
