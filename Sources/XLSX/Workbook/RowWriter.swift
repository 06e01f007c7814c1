/// Writes the rows of one sheet as XML: the hot path of the writer.
///
/// The parts that are equal in each cell of a column are made once, as words of 16 bytes that are always stored whole. A cell
/// costs no allocation, no reference count and no bounds check.
///
/// One object serves all sheets of a workbook, so it and its buffer can be constants that nobody retains.
///
/// SAFETY: `columns` is memory that this object alone owns, with an element for each column; `WorkbookWriter` begins no cell beyond them.
/// Each cell reserves `maxFixedBytes`, which with the slack of the buffer exceed all fixed parts of a cell and the surplus of their
/// stores, and the bytes of its text apart from these.
@safe final class RowWriter {
    private typealias Hint = CellHints.Hint

    /// The size of `<c r="XFD`, a row's digits and the fixed parts of a cell. The slack of the buffer takes the surplus bytes
    /// of a store.
    private static let maxFixedBytes = 128

    /// How a column is written.
    struct ColumnState {
        /// `<c r="A`, or `<c`.
        fileprivate var start: SIMD16<UInt8>
        fileprivate var startLength: Int
        fileprivate var use = SharedStrings.ColumnUse()
        /// Display width so far, in characters.
        fileprivate(set) var width: Int
    }

    /// XML that the compressor has not taken yet.
    let output = OutputBuffer()
    /// Where the texts of the cells are in these bytes.
    let hints = CellHints()
    private let strings: SharedStrings
    private let hasReferences: Bool
    private var columns = unsafe UnsafeMutableBufferPointer<ColumnState>(start: nil, count: 0)
    /// The number of the next cell in the row; 0 if no row has begun.
    private(set) var column = 0
    /// Empty cells since the last cell with a value. Without references they must be written.
    private var skipped = 0
    /// `12"`: the part after the letters of the column; nothing without references.
    private var rowDigits: UInt64 = 0
    private var rowDigitCount = 0
    /// Whether the widths of the columns are still being measured.
    var isSampling = true
    private(set) var sharedReferences = 0
    private(set) var truncatedTexts = 0
    private(set) var replacedTexts = 0

    private let sharedMiddle = RowWriter.word(" s=\"1\" t=\"s\"><v>")
    private let inlineMiddle = RowWriter.word(" s=\"1\" t=\"inline")
    private let inlineMiddle2 = RowWriter.word("Str\"><is><t>")
    private let inlineEnd = RowWriter.word("</t></is></c>")
    private let dateMiddle = RowWriter.word(" s=\"2\"><v>")
    private let timeMiddle = RowWriter.word(" s=\"4\"><v>")
    private let booleanMiddle = RowWriter.word(" s=\"5\" t=\"b\"><v>")
    private let valueEnd = RowWriter.word("</v></c>")

    init(strings: SharedStrings, hasReferences: Bool) {
        self.strings = strings
        self.hasReferences = hasReferences
    }

    deinit {
        unsafe columns.deallocate()
    }

    /// The display width of each column so far, in characters.
    var widths: [Int] { unsafe columns.map(\.width) }

    /// Up to 16 bytes, padded with zeros.
    private static func word(_ text: String) -> SIMD16<UInt8> {
        var word = SIMD16<UInt8>()
        for (index, byte) in text.utf8.enumerated() { word[index] = byte }
        return word
    }

    // MARK: Rows

    /// Begins a sheet with these columns.
    func begin(_ titles: [Column]) {
        unsafe columns.deallocate()
        unsafe columns = .allocate(capacity: titles.count)
        for (index, column) in titles.enumerated() {
            let start = hasReferences ? "<c r=\"\(Column.letters(index))" : "<c"
            // Three more than the title: bold letters and the filter's button.
            let width = max(column.title.count + 3, column.kind.minWidth)
            unsafe columns.initializeElement(
                at: index, to: ColumnState(start: Self.word(start), startLength: start.utf8.count, width: width))
        }
        isSampling = true
    }

    /// Begins a row.
    ///
    /// - Parameters:
    ///   - number: the number of the row, from 1.
    ///   - height: in points; nil for the usual one.
    func beginRow(_ number: Int, height: Int? = nil) {
        skipped = 0
        output.reserve(Self.maxFixedBytes)
        guard hasReferences else {
            return height.map { output.append("<row ht=\"\($0)\">") } ?? output.append(literal: "<row>")
        }
        var digits: (UInt64, UInt64) = (0, 0)
        unsafe withUnsafeMutableBytes(of: &digits) { digits in
            guard let base = digits.baseAddress else { return }
            let end = unsafe Decimal.write(UInt32(truncatingIfNeeded: number), to: base)
            unsafe end.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
            rowDigitCount = unsafe end - base + 1
            rowDigits = unsafe digits.load(as: UInt64.self)
        }
        output.append(literal: "<row r=\"")
        unsafe output.end.storeBytes(of: rowDigits, as: UInt64.self)
        unsafe output.advance(to: output.end + rowDigitCount)
        if let height { output.append(" ht=\"\(height)\"") }
        output.append(UInt8(ascii: ">"))
    }

    func endRow() {
        output.append(literal: "</row>")
        column = 0
    }

    // MARK: Cells

    /// Writes `<c r="B12"`, or `<c` alone, and returns the position after it. The fixed parts of any cell fit there.
    @inline(__always)
    private func beginCell(_ state: UnsafePointer<ColumnState>) -> UnsafeMutableRawPointer {
        output.reserve(Self.maxFixedBytes)
        if skipped > 0 { writeSkipped() }
        var at = unsafe output.end
        unsafe at.storeBytes(of: state.pointee.start, as: SIMD16<UInt8>.self)
        unsafe at += state.pointee.startLength
        unsafe at.storeBytes(of: rowDigits, as: UInt64.self)
        return unsafe at + rowDigitCount
    }

    /// Without references the position of a cell is its number in the row, so the empty cells before it must be written.
    @inline(never)
    private func writeSkipped() {
        if !hasReferences {
            for _ in 0..<skipped { output.append(literal: "<c/>") }
            output.reserve(Self.maxFixedBytes)
        }
        skipped = 0
    }

    @inline(__always)
    private var nextColumn: UnsafeMutablePointer<ColumnState> {
        guard let base = unsafe columns.baseAddress else { preconditionFailure("a sheet has columns") }
        return unsafe base + column
    }

    /// Leaves the next cell empty.
    @inline(__always)
    func empty() {
        column &+= 1
        skipped &+= 1
    }

    /// Writes the next cell: a text in the text format.
    @inline(__always)
    func text(_ text: Span<UInt8>) {
        guard !text.isEmpty else { return empty() }
        let state = unsafe nextColumn
        let column = column
        self.column = column &+ 1
        if isSampling { unsafe state.pointee.width = max(state.pointee.width, Self.width(of: text)) }
        var at = unsafe beginCell(state)
        if unsafe state.pointee.use.isShared, text.count <= SharedStrings.longest {
            let index = unsafe strings.index(of: text, use: &state.pointee.use)
            if index >= 0 {
                sharedReferences &+= 1
                unsafe at.storeBytes(of: sharedMiddle, as: SIMD16<UInt8>.self)
                let start = unsafe at + 16
                unsafe at = Decimal.write(UInt32(truncatingIfNeeded: index), to: start)
                unsafe hints.append(Hint(start: output.offset(of: start), count: at - start, column: column, form: .shared))
                unsafe at.storeBytes(of: valueEnd, as: SIMD16<UInt8>.self)
                unsafe output.advance(to: at + 8)
                return
            }
        }
        let first = text[0]
        let last = text[text.count &- 1]
        // A byte above the space is not white space.
        guard first > 0x20, last > 0x20, text.count <= CellText.limit else {
            return unsafe inlineWithCare(text, at, column)
        }
        unsafe at.storeBytes(of: inlineMiddle, as: SIMD16<UInt8>.self)
        unsafe at.storeBytes(of: inlineMiddle2, toByteOffset: 16, as: SIMD16<UInt8>.self)
        unsafe output.advance(to: at + 28)
        output.reserve(text.count &+ Self.maxFixedBytes)
        if unsafe CellText.copyIfPlain(text, to: output.end) {
            hints.append(Hint(start: output.count, count: text.count, column: column, form: .inline))
            unsafe at = output.end + text.count
            unsafe at.storeBytes(of: inlineEnd, as: SIMD16<UInt8>.self)
            unsafe output.advance(to: at + 13)
        } else {
            finishWithCare(text, column, .inline)
        }
    }

    @inline(never)
    private func inlineWithCare(_ text: Span<UInt8>, _ at: UnsafeMutableRawPointer, _ column: Int) {
        unsafe output.advance(to: at)
        let isPreserved = CellText.needsSpacePreserved(text)
        output.append(
            literal: isPreserved
                ? " s=\"1\" t=\"inlineStr\"><is><t xml:space=\"preserve\">" : " s=\"1\" t=\"inlineStr\"><is><t>")
        finishWithCare(text, column, isPreserved ? .preserved : .inline)
    }

    @inline(never)
    private func finishWithCare(_ text: Span<UInt8>, _ column: Int, _ form: Hint.Form) {
        let start = output.count
        let faults = CellText.append(text, to: output)
        if faults.contains(.truncated) { truncatedTexts += 1 }
        if faults.contains(.replaced) { replacedTexts += 1 }
        hints.append(Hint(start: start, count: output.count - start, column: column, form: form))
        output.append(literal: "</t></is></c>")
    }

    /// Writes the next cell: a day, by its number in the 1900 date system.
    @inline(__always)
    func date(serial: Int) {
        let state = unsafe nextColumn
        let column = column
        self.column = column &+ 1
        var at = unsafe beginCell(state)
        unsafe at.storeBytes(of: dateMiddle, as: SIMD16<UInt8>.self)
        let start = unsafe at + 10
        unsafe at = Decimal.write(UInt32(truncatingIfNeeded: serial), to: start)
        unsafe hints.append(Hint(start: output.offset(of: start), count: at - start, column: column, form: .date))
        unsafe at.storeBytes(of: valueEnd, as: SIMD16<UInt8>.self)
        unsafe output.advance(to: at + 8)
    }

    /// Writes the next cell: a date with a time. The number of the day is that of ``date(serial:)``.
    ///
    /// - Parameter second: of the day. The fraction of the day that it becomes has ten digits, and is rounded up: it is at most 9 µs
    ///   late, and never early, because some programs cut off fractions of a second.
    @inline(__always)
    func dateTime(serial: Int, second: Int) {
        let state = unsafe nextColumn
        let column = column
        self.column = column &+ 1
        var at = unsafe beginCell(state)
        unsafe at.storeBytes(of: timeMiddle, as: SIMD16<UInt8>.self)
        let start = unsafe at + 10
        unsafe at = Decimal.write(UInt32(truncatingIfNeeded: serial), to: start)
        if second > 0 {
            unsafe at.storeBytes(of: UInt8(ascii: "."), as: UInt8.self)
            var fraction = (second &* 10_000_000_000 &+ 86_399) / 86_400
            var count = 10
            while fraction % 10 == 0 {
                fraction /= 10
                count &-= 1
            }
            for place in stride(from: count, to: 0, by: -1) {
                unsafe at.storeBytes(
                    of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: fraction % 10), toByteOffset: place, as: UInt8.self)
                fraction /= 10
            }
            unsafe at += count &+ 1
        }
        unsafe hints.append(Hint(start: output.offset(of: start), count: at - start, column: column, form: .date))
        unsafe at.storeBytes(of: valueEnd, as: SIMD16<UInt8>.self)
        unsafe output.advance(to: at + 8)
    }

    /// Writes the next cell: TRUE or FALSE.
    @inline(__always)
    func boolean(_ value: Bool) {
        let state = unsafe nextColumn
        let column = column
        self.column = column &+ 1
        let at = unsafe beginCell(state)
        unsafe at.storeBytes(of: booleanMiddle, as: SIMD16<UInt8>.self)
        let start = unsafe at + 16
        unsafe start.storeBytes(of: UInt8(ascii: value ? "1" : "0"), as: UInt8.self)
        unsafe hints.append(Hint(start: output.offset(of: start), count: 1, column: column, form: .date))
        unsafe start.storeBytes(of: valueEnd, toByteOffset: 1, as: SIMD16<UInt8>.self)
        unsafe output.advance(to: start + 9)
    }

    /// Writes the next cell: a text in another style than that of ``text(_:)``.
    func wrapped(_ text: Span<UInt8>, style: Int) {
        guard !text.isEmpty else { return empty() }
        let state = unsafe nextColumn
        column += 1
        if isSampling { unsafe state.pointee.width = max(state.pointee.width, Self.width(of: text)) }
        unsafe output.advance(to: beginCell(state))
        appendInline(text, style: style)
    }

    private func appendInline(_ text: Span<UInt8>, style: Int) {
        output.append(
            " s=\"\(style)\" t=\"inlineStr\"><is>"
                + (CellText.needsSpacePreserved(text) ? "<t xml:space=\"preserve\">" : "<t>"))
        finishWithCare(text, column - 1, .inline)
    }

    /// Writes the next cell: the title of a column.
    func title(_ text: String) {
        guard !text.isEmpty else { return empty() }
        let state = unsafe nextColumn
        column += 1
        let utf8 = text.utf8.span
        unsafe output.advance(to: beginCell(state))
        var use = SharedStrings.ColumnUse()
        let index = strings.index(of: utf8, use: &use)
        if index >= 0 {
            sharedReferences += 1
            return output.append(" s=\"\(XMLParts.Style.header)\" t=\"s\"><v>\(index)</v></c>")
        }
        appendInline(utf8, style: XMLParts.Style.header)
    }

    /// The display width of a text: one for most characters, two for East Asian characters and emoji.
    @inline(never)
    private static func width(of text: Span<UInt8>) -> Int {
        var width = 0
        for at in 0..<min(text.count, 256) where text[at] & 0xC0 != 0x80 {
            width += text[at] >= 0xE3 ? 2 : 1
        }
        return width
    }
}
