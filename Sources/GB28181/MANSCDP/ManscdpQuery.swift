/// What the platform asks a device. Each query is answered by 200 at once, and by a Response with the same SN later.
package enum ManscdpQuery: Hashable, Sendable {
    /// `deviceID` may also be a division, a business group or a virtual organisation (annex J).
    case catalog(sn: Int, deviceID: String)
    case deviceInfo(sn: Int, deviceID: String)
    case deviceStatus(sn: Int, deviceID: String)

    /// The Content-Type of all MANSCDP bodies.
    package static let contentType = "Application/MANSCDP+xml"

    package var cmdType: String {
        switch self {
        case .catalog: "Catalog"
        case .deviceInfo: "DeviceInfo"
        case .deviceStatus: "DeviceStatus"
        }
    }

    package var sn: Int {
        switch self {
        case .catalog(let sn, _), .deviceInfo(let sn, _), .deviceStatus(let sn, _): sn
        }
    }

    package var deviceID: String {
        switch self {
        case .catalog(_, let deviceID), .deviceInfo(_, let deviceID), .deviceStatus(_, let deviceID): deviceID
        }
    }

    package func encoded(charset: Charset = .gb2312) -> [UInt8] {
        var writer = XMLWriter(charset: charset)
        writer.element("Query") { writer in
            writer.element("CmdType", cmdType)
            writer.element("SN", sn)
            writer.element("DeviceID", deviceID)
        }
        return writer.encoded
    }
}
