package import Wire

/// How an INVITE names one of a channel's streams: 0 is the main stream, 1 the first sub stream. The 2022 standard has an attribute for
/// it, vendors had their own before (4.3).
package enum StreamSelection: String, CaseIterable, Hashable, Sendable {
    /// GB/T 28181-2022.
    case streamNumber = "streamnumber"
    /// Dahua, and what WVP sends.
    case streamProfile = "streamprofile"
    /// TP-Link and Mercury.
    case streamMode
    case stream

    /// What a stream's number can be.
    package static let numbers = 0...9

    /// What the device is known to understand; nil: nothing, so the main stream is all that can be asked for.
    init?(_ device: Device) {
        let maker = device.manufacturer.lowercased()
        if let major = device.protocolVersion.split(separator: ".").first.flatMap({ Int($0) }), major >= 3 {
            self = .streamNumber
        } else if maker.contains("dahua") || maker.contains("大华") || device.userAgent.hasPrefix("SIP UAS")
            || device.userAgent.hasPrefix("DH ")
        {
            self = .streamProfile
        } else if maker.contains("tp-link") || maker.contains("tplink") || maker.contains("mercury") {
            self = .streamMode
        } else {
            return nil
        }
    }

    /// The attribute for stream `number`; nil where only main and sub have names.
    package func attribute(_ number: Int) -> SessionDescription.Attribute? {
        switch self {
        case .streamNumber, .streamProfile: .init(rawValue, String(number))
        case .streamMode, .stream: number > 1 ? nil : .init(rawValue, number == 0 ? "main" : "sub")
        }
    }

    /// The stream that an offer asks for; 0 where it says nothing.
    package static func number(in media: SessionDescription.Media) -> Int {
        for form in allCases {
            guard let value = media.attribute(form.rawValue)?.lowercased() else { continue }
            return Int(value) ?? (value == "sub" ? 1 : 0)
        }
        return 0
    }
}

extension CatalogItem {
    /// The field of a channel's streams (2022).
    package static let streamNumberList = "StreamNumberList"

    /// What it lists, `0/1/2`; nil where the item has none (before 2022).
    package var streamNumbers: [Int]? {
        // More than ten numbers there are not.
        guard let list = extra(Self.streamNumberList)?.prefix(64) else { return nil }
        let words = list.split { $0 == "/" || $0.isWhitespace }
        let numbers = Set(words.compactMap { Int($0) }.filter(StreamSelection.numbers.contains))
        return numbers.isEmpty ? nil : numbers.sorted()
    }
}
