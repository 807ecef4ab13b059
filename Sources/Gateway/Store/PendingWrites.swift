/// What waits to be written: the newest state of each thing, however often it changed.
struct PendingWrites {
    enum Write<Value: Sendable>: Sendable {
        case save(Value)
        case remove
    }

    private(set) var devices: [String: Write<StoredDevice>] = [:]
    /// The whole list of a device's channels.
    private(set) var channels: [String: [StoredChannel]] = [:]
    /// By Call-ID: ours are random, so it names the dialog.
    private(set) var dialogs: [String: Write<StoredDialog>] = [:]

    var isEmpty: Bool { devices.isEmpty && channels.isEmpty && dialogs.isEmpty }

    mutating func save(_ device: StoredDevice) {
        devices[device.id] = .save(device)
    }

    mutating func removeDevice(_ id: String) {
        devices[id] = .remove
        channels[id] = []
    }

    mutating func replaceChannels(of deviceID: String, by list: [StoredChannel]) {
        channels[deviceID] = list
    }

    mutating func save(_ dialog: StoredDialog) {
        dialogs[dialog.callID] = .save(dialog)
    }

    mutating func removeDialog(callID: String) {
        dialogs[callID] = .remove
    }

    /// Takes the dialogs out, which must not wait: a crash before they are written leaves a camera streaming.
    mutating func takeDialogs() -> PendingWrites {
        var taken = PendingWrites()
        swap(&taken.dialogs, &dialogs)
        return taken
    }

    mutating func takeAll() -> PendingWrites {
        var taken = PendingWrites()
        swap(&taken, &self)
        return taken
    }

    /// Puts back what could not be written; what came in the meantime is newer and stays.
    mutating func putBack(_ unwritten: PendingWrites) {
        devices.merge(unwritten.devices) { newer, _ in newer }
        channels.merge(unwritten.channels) { newer, _ in newer }
        dialogs.merge(unwritten.dialogs) { newer, _ in newer }
    }
}
