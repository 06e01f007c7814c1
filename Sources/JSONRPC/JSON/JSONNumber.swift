/// A number that the scanner has passed, read without a `Double`: in time that grows with its length alone, and exactly.
struct JSONNumber {
    /// 2^1024 − 2^970, from which on a number is nearer to infinity than to the largest double.
    private static let tooLarge = Array(
        """
        17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641\
        66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669\
        59622842914819860834936475292719074168444365510704342711559699508093042880177904174497792
        """.utf8)
    private static let largestInteger: UInt64 = 9_007_199_254_740_991
    /// More than any exponent that matters, and so little that no sum with the length of a text overflows.
    private static let mostExponent = 1_000_000_000

    private let mantissa: ArraySlice<UInt8>
    private let isNegative: Bool
    /// Places of the digits that are not 0, counted from the first digit of all; nil where there is none.
    private var places: (first: Int, last: Int)?
    /// Digits before the point.
    private var whole = 0
    private var exponent = 0

    init(_ text: ArraySlice<UInt8>) {
        isNegative = text.first == UInt8(ascii: "-")
        let end = text.firstIndex { $0 | 0x20 == UInt8(ascii: "e") } ?? text.endIndex
        mantissa = text[..<end].dropFirst(isNegative ? 1 : 0)
        var count = 0
        var point: Int?
        for byte in mantissa {
            if byte == UInt8(ascii: ".") {
                point = count
                continue
            }
            if byte != UInt8(ascii: "0") { places = (places?.first ?? count, count) }
            count += 1
        }
        whole = point ?? count
        var digits = text[end...].dropFirst()
        let isBelow = digits.first == UInt8(ascii: "-")
        if let sign = digits.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { digits = digits.dropFirst() }
        for digit in digits {
            exponent = min(Self.mostExponent, exponent * 10 + Int(digit & 0x0F))
        }
        if isBelow { exponent = -exponent }
    }

    /// The digits from the first that is not 0.
    private var significant: some Sequence<UInt8> {
        mantissa.lazy.filter { $0 != UInt8(ascii: ".") }.dropFirst(places?.first ?? 0)
    }

    /// Its value where that is an integer up to ±(2^53 − 1).
    var integer: Int? {
        guard let places else { return 0 }
        // Zeros that follow the last other digit; where there are fewer than none, it has a fraction.
        let zeros = whole - 1 - places.last + exponent
        let digits = places.last - places.first + 1
        guard zeros >= 0, digits + zeros <= 16 else { return nil }
        var value: UInt64 = 0
        for digit in significant.prefix(digits) { value = value * 10 + UInt64(digit & 0x0F) }
        for _ in 0..<zeros { value *= 10 }
        guard value <= Self.largestInteger else { return nil }
        return isNegative ? -Int(value) : Int(value)
    }

    /// Whether a double comes near it.
    var isFinite: Bool {
        guard let places else { return true }
        let magnitude = whole - 1 - places.first + exponent
        guard magnitude == Self.tooLarge.count - 1 else { return magnitude < Self.tooLarge.count - 1 }
        var digits = significant.makeIterator()
        for bound in Self.tooLarge {
            let digit = digits.next() ?? UInt8(ascii: "0")
            if digit != bound { return digit < bound }
        }
        return false
    }
}
