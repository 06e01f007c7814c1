/// One administrator, as views of bytes that live for one call only. UTF-8; nil and empty lists mean no value.
package struct AdministratorRow {
    package let name: UnsafeBufferPointer<UInt8>?
    package let email: UnsafeBufferPointer<UInt8>?
    package let phone: UnsafeBufferPointer<UInt8>?
    package let profile: UnsafeBufferPointer<UInt8>?
    package let mainGroup: UnsafeBufferPointer<UInt8>?
    /// Names in code point order, joined by `, `; one that holds a comma or a quote is quoted as in CSV.
    package let secondaryGroups: UnsafeBufferPointer<UInt8>
    package let teams: UnsafeBufferPointer<UInt8>
    package let created: Day?
    package let updated: Day?
    package let isEnabled: Bool

    /// A day in the tenant's time zone.
    package enum Day: Equatable, Sendable {
        /// Days since 1970-01-01.
        case date(Int)
        case infinity
        case minusInfinity

        /// From PostgreSQL's binary `date`: big-endian days since 2000-01-01, with the extremes for the infinities.
        @inline(__always)
        init?(_ field: UnsafeBufferPointer<UInt8>?) {
            guard let field, field.count == 4, let base = UnsafeRawPointer(field.baseAddress) else { return nil }
            switch Int32(bigEndian: base.loadUnaligned(as: Int32.self)) {
            case .max: self = .infinity
            case .min: self = .minusInfinity
            case let days: self = .date(Int(days) + 10_957)
            }
        }
    }
}
