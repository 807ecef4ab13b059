extension CatalogItem {
    /// Nil when the element has no usable DeviceID: there is nothing to call it by then.
    init?(_ node: XMLNode) {
        guard let id = node.text(of: "DeviceID"), GBID(id).isAcceptable else { return nil }
        self.init(deviceID: id, hasStatus: false)
        for child in node.children {
            if child.name.matchesIgnoringCase("Info") {
                for detail in child.children { take(detail) }
            } else {
                take(child)
            }
        }
        // 0/0 is what cameras without a position send.
        if longitude == 0, latitude == 0 {
            longitude = nil
            latitude = nil
        }
    }

    private mutating func take(_ node: XMLNode) {
        let value = node.text
        switch node.name {
        case "DeviceID": break
        case "Name": name = value.withoutReplacements
        case "Manufacturer": manufacturer = value.withoutReplacements
        case "Model": model = value.withoutReplacements
        case "CivilCode": civilCode = value
        // Hikvision NVRs send bytes of their memory here (WVP #903): nothing of it is of use.
        case "Address": address = value.unicodeScalars.contains("\u{FFFD}") ? "" : value
        case "Parental": hasChildren = (Int(value) ?? 0) != 0
        case "ParentID":
            parentIDs = value.split(separator: "/", maxSplits: 15).map { String($0).trimmed }.filter { !$0.isEmpty }
        case "BusinessGroupID": businessGroupID = value
        case "Status":
            hasStatus = !value.isEmpty
            isOnline = ["", "ON", "ONLINE", "OK"].contains(value.uppercased())
        case "PTZType": ptzType = Int(value)
        case "Longitude": longitude = Double(value).flatMap { abs($0) <= 180 ? $0 : nil }
        case "Latitude": latitude = Double(value).flatMap { abs($0) <= 90 ? $0 : nil }
        case "Event": event = CatalogEvent(rawValue: value.uppercased())
        default: keep(node)
        }
    }

    /// The most fields of one item: the standard has about 60.
    private static let extrasLimit = 96

    private mutating func keep(_ node: XMLNode) {
        guard extras.count < Self.extrasLimit, !Self.isCredential(node.name) else { return }
        if node.children.isEmpty {
            guard !node.text.isEmpty else { return }
            extras.append(Field(node.name, node.text.withoutReplacements.withoutUserinfo))
        } else {
            for child in node.children { keep(child) }
        }
    }

    private static func isCredential(_ name: String) -> Bool {
        let lowercased = name.lowercased()
        return ["password", "passwd", "pwd", "loginname", "username"].contains { lowercased.contains($0) }
    }
}

extension String {
    /// Without the marks that stand for undecodable bytes.
    var withoutReplacements: String {
        guard unicodeScalars.contains("\u{FFFD}") else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.filter { $0 != "\u{FFFD}" })).trimmed
    }

    /// `rtsp://admin:secret@10.0.0.1/…` without `admin:secret@`: Dahua platforms put such URLs into IPAddress.
    var withoutUserinfo: String {
        guard let scheme = firstRange(of: "://") else { return self }
        let authority = self[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        // The last one: passwords may have an @ of their own, and even a slash.
        if let at = authority.lastIndex(of: "@") {
            return String(self[..<scheme.upperBound] + self[index(after: at)...])
        }
        guard authority.contains(":"), Int(authority.drop { $0 != ":" }.dropFirst()) == nil,
            let at = self[scheme.upperBound...].lastIndex(of: "@")
        else { return self }
        return String(self[..<scheme.upperBound] + self[index(after: at)...])
    }
}
