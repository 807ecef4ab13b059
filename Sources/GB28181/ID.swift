/// A GB/T 28181 identifier, read (annex E of GB/T 28181-2022). IDs travel through the program as plain `String`s, because
/// cameras use 10-, 16- and 18-character ones too; this is the view that tells what one says.
package struct GBID: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// What peers may call themselves: 1 to 64 of `0-9 A-Z a-z _ . -`. Anything else is refused, whatever the configuration.
    package var isAcceptable: Bool {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= 64 else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }

    /// Twenty decimal digits, as the standard has it.
    package var isStandard: Bool {
        text.utf8.count == 20 && isDigits
    }

    /// An administrative division (GB/T 2260), which catalogs list as if it were a device: 2, 4, 6 or 8 digits.
    package var isDivision: Bool {
        switch text.utf8.count {
        case 2, 4, 6, 8: isDigits
        default: false
        }
    }

    /// Digits 11-13 of a standard ID, such as 132 for a network camera.
    package var typeCode: Int? {
        guard isStandard else { return nil }
        return Int(text.dropFirst(10).prefix(3))
    }

    package var kind: Kind {
        guard let typeCode else { return isDivision ? .division : .unknown }
        return switch typeCode {
        case 111...113, 118, 130: .recorder
        case 114...117, 119...129: .device
        case 131, 132: .camera
        case 134: .alarmInput
        case 135, 140: .alarmOutput
        case 136: .audioInput
        case 137: .audioOutput
        case 133, 138, 139, 141...143: .device
        case 200: .platform
        case 201...214: .server
        case 215: .businessGroup
        case 216: .virtualOrganisation
        case 300...499: .user
        default: .unknown
        }
    }

    /// Whether an INVITE for this catalog item makes sense. Unknown types are playable: some platforms give cameras
    /// arbitrary type digits. `deviceID` is the device that registered: an IPC may list itself as its only channel.
    package func isPlayable(onDevice deviceID: String) -> Bool {
        guard text.utf8.count == 20 else { return false }
        switch kind {
        case .camera, .unknown: return true
        case .recorder, .device: return text == deviceID
        case .alarmInput, .alarmOutput, .audioInput, .audioOutput, .platform, .server, .businessGroup,
            .virtualOrganisation, .user, .division:
            return false
        }
    }

    /// The SIP domain that the standard derives from a platform's ID: its first ten digits.
    package var domain: String {
        String(text.prefix(10))
    }

    /// A sentence for the log when the ID is not as the standard wants it, else nil. Operators mistype IDs often.
    package var complaint: String? {
        let count = text.utf8.count
        if count == 20 { return isDigits ? nil : "ID \(text) has characters that are not digits" }
        return "ID \(text) has \(count) \(isDigits ? "digits" : "characters"), the standard wants 20 digits"
    }

    private var isDigits: Bool {
        text.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }
}

extension GBID {
    /// What an ID's type digits say, as far as this program acts on it.
    package enum Kind: Hashable, Sendable {
        /// DVR, video server, encoder, NVR, HVR: a device with channels.
        case recorder
        case device
        case camera
        case alarmInput
        case alarmOutput
        case audioInput
        /// A speaker: the target of a broadcast.
        case audioOutput
        case platform
        case server
        case businessGroup
        case virtualOrganisation
        case user
        case division
        case unknown
    }
}
