/// One item of a catalog: a camera, a division, a group (3.4; annex A.2.1.9 of GB/T 28181-2022). What the program acts on
/// is typed, everything else is kept as text in `extras`. Passwords are dropped where the item is read.
package struct CatalogItem: Hashable, Sendable {
    package var deviceID: String
    /// May be empty: some cameras have no name.
    package var name: String
    package var manufacturer: String
    package var model: String
    package var civilCode: String
    package var address: String
    /// Whether it says that it has children. Hikvision writes 65535 for yes.
    package var hasChildren: Bool
    /// Parent devices, systems or virtual organisations; several are joined by `/` on the wire. May name the item itself.
    package var parentIDs: [String]
    package var businessGroupID: String
    /// ON, ONLINE and OK in any case, and no status at all, are online.
    package var isOnline: Bool
    /// Whether the item said anything of its status: notifications often do not.
    package var hasStatus: Bool
    /// 1 dome, 2 half-dome, 3 fixed, 4 remote-controlled bullet; 2022: 5 to 7. Nil when not told.
    package var ptzType: Int?
    /// Degrees, WGS 84 if the device follows the standard. Nil when absent, garbage, or 0/0.
    package var longitude: Double?
    package var latitude: Double?
    /// Only in notifications.
    package var event: CatalogEvent?
    /// All other fields in the order of the message, those in `Info` with their own names. No credentials.
    package var extras: [Field]

    package struct Field: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        deviceID: String,
        name: String = "",
        manufacturer: String = "",
        model: String = "",
        civilCode: String = "",
        address: String = "",
        hasChildren: Bool = false,
        parentIDs: [String] = [],
        businessGroupID: String = "",
        isOnline: Bool = true,
        hasStatus: Bool = true,
        ptzType: Int? = nil,
        longitude: Double? = nil,
        latitude: Double? = nil,
        event: CatalogEvent? = nil,
        extras: [Field] = []
    ) {
        self.deviceID = deviceID
        self.name = name
        self.manufacturer = manufacturer
        self.model = model
        self.civilCode = civilCode
        self.address = address
        self.hasChildren = hasChildren
        self.parentIDs = parentIDs
        self.businessGroupID = businessGroupID
        self.isOnline = isOnline
        self.hasStatus = hasStatus
        self.ptzType = ptzType
        self.longitude = longitude
        self.latitude = latitude
        self.event = event
        self.extras = extras
    }

    /// The value of an extra field.
    package func extra(_ name: String) -> String? {
        extras.first { $0.name == name }?.value
    }
}

/// What a catalog notification says of an item (3.9).
package enum CatalogEvent: String, Hashable, Sendable {
    case on = "ON"
    case off = "OFF"
    case videoLost = "VLOST"
    case defect = "DEFECT"
    case add = "ADD"
    case delete = "DEL"
    case update = "UPDATE"
}
