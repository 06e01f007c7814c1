/// A number that the scanner has accepted. It is read exactly, without a `Double`, in time linear in its length.
struct JSONNumber {
    /// The digits of 2^1024 − 2^970. A number of this magnitude or above rounds to infinity.
    private static let tooLarge = Array(
        """
        17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641\
        66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669\
        59622842914819860834936475292719074168444365510704342711559699508093042880177904174497792
        """.utf8)
    private static let largestInteger: UInt64 = 9_007_199_254_740_991
    /// The number of digits of the largest integer.
    private static let maxDigits = 16
    /// Larger than any exponent that makes a difference, and small enough that a sum with the length of a text cannot overflow.
    private static let maxExponent = 1_000_000_000

    private var isNegative = false
    /// The positions of the first and the last digit that is not 0, counted from the first digit; nil if all digits are 0.
    private var places: (first: Int, last: Int)?
    /// The number of digits before the exponent.
    private var count = 0
    /// The number of digits before the point.
    private var whole = 0
    private var exponent = 0
    /// The value of the leading digits: up to ``maxDigits``, beginning with the first that is not 0.
    private var leading: UInt64 = 0
    /// Whether the digits, from the first that is not 0, are below those of ``tooLarge``; nil while both are the same.
    private var isBelow: Bool?

    init(_ text: Span<UInt8>) {
        var here = 0
        if text[0] == UInt8(ascii: "-") {
            isNegative = true
            here = 1
        }
        var point: Int?
        while here < text.count, text[here] | 0x20 != UInt8(ascii: "e") {
            let byte = text[here]
            here += 1
            if byte == UInt8(ascii: ".") { point = count } else { add(byte) }
        }
        whole = point ?? count
        if here < text.count { exponent = Self.exponent(text, here + 1) }
    }

    private mutating func add(_ digit: UInt8) {
        if digit != UInt8(ascii: "0") { places = (places?.first ?? count, count) }
        if let first = places?.first {
            let place = count - first
            if place < Self.maxDigits { leading = leading * 10 + UInt64(digit & 0x0F) }
            if isBelow == nil, place < Self.tooLarge.count, digit != Self.tooLarge[place] {
                isBelow = digit < Self.tooLarge[place]
            }
        }
        count += 1
    }

    private static func exponent(_ text: Span<UInt8>, _ start: Int) -> Int {
        var value = 0
        for here in start..<text.count where text[here] & 0xF0 == 0x30 {
            value = min(maxExponent, value * 10 + Int(text[here] & 0x0F))
        }
        return text[start] == UInt8(ascii: "-") ? -value : value
    }

    /// The value, if it is an integer up to ±(2^53 − 1).
    var integer: Int? {
        guard let places else { return 0 }
        // The number of zeros after the last other digit of the integer. If it is negative, the number has a fraction.
        let zeros = whole - 1 - places.last + exponent
        let digits = places.last - places.first + 1
        guard zeros >= 0, digits + zeros <= Self.maxDigits else { return nil }
        var value = leading
        for _ in digits..<max(digits, min(Self.maxDigits, count - places.first)) { value /= 10 }
        for _ in 0..<zeros { value *= 10 }
        guard value <= Self.largestInteger else { return nil }
        return isNegative ? -Int(value) : Int(value)
    }

    /// Whether the number rounds to a finite double.
    var isFinite: Bool {
        guard let places else { return true }
        let magnitude = whole - 1 - places.first + exponent
        guard magnitude == Self.tooLarge.count - 1 else { return magnitude < Self.tooLarge.count - 1 }
        // A number with the same digits as the bound, but fewer, is below it, because the last digit of the bound is not 0.
        return isBelow ?? (count - places.first < Self.tooLarge.count)
    }
}
