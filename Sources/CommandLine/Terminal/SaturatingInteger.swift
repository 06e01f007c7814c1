extension Int {
    /// The whole part of a number that somebody else has sent; the nearest that there is where it is beyond, 0 where it is none.
    ///
    /// `Int(_:)` ends the program for all of these. The bounds are ±(2^53 − 1), so that two of them can be added and subtracted.
    package init(saturating number: Double) {
        let bound = 9_007_199_254_740_991.0
        self = number.isNaN ? 0 : Int(exactly: Swift.min(Swift.max(number, -bound), bound).rounded(.towardZero)) ?? 0
    }
}
