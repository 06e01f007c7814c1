import java.io.BufferedWriter;
import java.io.File;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import org.apache.poi.ss.usermodel.Cell;
import org.apache.poi.ss.usermodel.CellType;
import org.apache.poi.ss.usermodel.DateUtil;
import org.apache.poi.ss.usermodel.Row;
import org.apache.poi.ss.usermodel.Sheet;
import org.apache.poi.xssf.usermodel.XSSFWorkbook;

/**
 * Reads a workbook with Apache POI and prints it as lines of JSON: a string for each sheet's name, then an array for each
 * of its rows. A text is a string, a day is {"date": "yyyy-mm-dd"}, a time is {"time": "yyyy-mm-dd hh:mm:ss.sss"}, a
 * boolean is true or false, an empty cell is null, and anything else is an object that says what it is.
 */
public final class PoiReader {
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("--version")) {
            // Fails if the jars do not match each other.
            new XSSFWorkbook().close();
            System.out.println(org.apache.poi.Version.getVersion());
            return;
        }
        try (XSSFWorkbook book = new XSSFWorkbook(new File(arguments[0]));
             PrintWriter out = new PrintWriter(
                 new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.US_ASCII)))) {
            for (Sheet sheet : book) {
                out.println(string(sheet.getSheetName()));
                for (int index = 0; index <= sheet.getLastRowNum(); index++) {
                    out.println(row(sheet.getRow(index)));
                }
            }
        }
    }

    private static String row(Row row) {
        StringBuilder line = new StringBuilder("[");
        for (int column = 0; row != null && column < row.getLastCellNum(); column++) {
            line.append(column > 0 ? ", " : "").append(value(row.getCell(column)));
        }
        return line.append("]").toString();
    }

    private static String value(Cell cell) {
        if (cell == null || cell.getCellType() == CellType.BLANK) {
            return "null";
        }
        if (cell.getCellType() == CellType.STRING) {
            return string(cell.getStringCellValue());
        }
        if (cell.getCellType() == CellType.NUMERIC && DateUtil.isCellDateFormatted(cell)) {
            LocalDateTime time = LocalDateTime.ofInstant(cell.getDateCellValue().toInstant(), ZoneId.systemDefault());
            if (time.toLocalTime().equals(LocalTime.MIDNIGHT)) {
                return "{\"date\": \"" + time.toLocalDate() + "\"}";
            }
            return "{\"time\": \"" + time.format(DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSS")) + "\"}";
        }
        if (cell.getCellType() == CellType.BOOLEAN) {
            return String.valueOf(cell.getBooleanCellValue());
        }
        return "{\"" + cell.getCellType() + "\": " + string(cell.toString()) + "}";
    }

    private static String string(String text) {
        StringBuilder result = new StringBuilder("\"");
        for (char unit : text.toCharArray()) {
            if (unit < ' ' || unit > '~' || unit == '"' || unit == '\\') {
                result.append(String.format("\\u%04x", (int) unit));
            } else {
                result.append(unit);
            }
        }
        return result.append('"').toString();
    }
}
