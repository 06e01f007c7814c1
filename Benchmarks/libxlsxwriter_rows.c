// Writes the rows of a file with libxlsxwriter in constant_memory mode, as its manual shows it for much data.
//
// usage: libxlsxwriter_rows ROWS OUTPUT
//
// The rows are COPY's text format: ten fields between tabs, \N for none, days in the eighth and the ninth.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xlsxwriter.h>

static const char *titles[] = {"Name", "Email", "Phone", "Profile", "Main group", "Secondary groups", "Teams",
                               "Creation date", "Last update", "Status"};

int main(int count, char **words) {
    if (count != 3) return 2;
    FILE *rows = fopen(words[1], "r");
    lxw_workbook_options options = {.constant_memory = LXW_TRUE};
    lxw_workbook *book = workbook_new_opt(words[2], &options);
    if (!rows || !book) return 2;
    lxw_format *bold = workbook_add_format(book), *date = workbook_add_format(book);
    format_set_bold(bold);
    format_set_num_format(date, "yyyy-mm-dd");
    lxw_worksheet *sheet = workbook_add_worksheet(book, "Administrators");
    worksheet_freeze_panes(sheet, 1, 0);
    for (int column = 0; column < 10; column++) worksheet_write_string(sheet, 0, column, titles[column], bold);
    char *line = NULL;
    size_t size = 0;
    lxw_row_t row = 1;
    for (ssize_t length; (length = getline(&line, &size, rows)) > 0; row++) {
        line[length - 1] = 0;
        char *rest = line;
        for (int column = 0; column < 10; column++) {
            char *cell = strsep(&rest, "\t");
            if (!cell || !strcmp(cell, "\\N")) continue;
            lxw_datetime day = {0};
            if ((column == 7 || column == 8) && sscanf(cell, "%d-%d-%d", &day.year, &day.month, &day.day) == 3) {
                worksheet_write_datetime(sheet, row, column, &day, date);
            } else {
                worksheet_write_string(sheet, row, column, cell, NULL);
            }
        }
    }
    worksheet_autofilter(sheet, 0, 0, row - 1, 9);
    return workbook_close(book) == LXW_NO_ERROR ? 0 : 1;
}
