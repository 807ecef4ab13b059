import FoundationEssentials
import Gateway
import Logging
import Synchronization
import Testing

/// Remembers records, so that a test sees what an operator would.
final class LogMemory: Sendable {
    private let records = Mutex<[(level: Logger.Level, message: String)]>([])

    var logger: Logger {
        Logger(label: "test") { _ in Handler(memory: self) }
    }

    func count(_ level: Logger.Level) -> Int {
        records.withLock { $0.filter { $0.level == level }.count }
    }

    private struct Handler: LogHandler {
        let memory: LogMemory
        var logLevel: Logger.Level = .trace
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?

        init(memory: LogMemory) {
            self.memory = memory
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            memory.records.withLock { $0.append((event.level, "\(event.message)")) }
        }
    }
}

@Suite struct DeviceStoreTests {
    let folder: TemporaryFolder
    let log = LogMemory()

    init() throws {
        folder = try TemporaryFolder()
    }

    private var file: String { "\(folder.path)/data/gbgate.sqlite" }

    private func store(_ path: String? = nil) -> DeviceStore {
        DeviceStore(path: path ?? file, logger: log.logger)
    }

    private var device: StoredDevice {
        var device = StoredDevice(id: "34020000001320000001")
        device.name = "大门 \"front\"; DROP TABLE device"
        device.remoteAddress = "192.0.2.64:5060"
        device.isOnline = true
        device.keepaliveAt = 1_795_228_475_000
        return device
    }

    private var dialog: StoredDialog {
        var dialog = StoredDialog(callID: "a1@gbgate", localTag: "t1")
        dialog.remoteTag = "r1"
        dialog.localCSeq = 3
        dialog.routes = ["<sip:192.0.2.1;lr>", "<sip:192.0.2.2;lr>"]
        return dialog
    }

    @Test("R-10 R-32 a restart finds devices, channels and open dialogs") func restart() async {
        var channel = StoredChannel(deviceID: device.id, id: "34020000001310000001")
        channel.longitude = 116.5
        channel.streamNumberList = "0/1"
        let first = store()
        #expect(await first.load() == StoredState())
        first.save(device)
        first.replaceChannels(of: device.id, by: [channel])
        first.save(dialog)
        await first.flush()

        let found = await store().load()
        #expect(found.devices == [device])
        #expect(found.channels == [channel])
        #expect(found.dialogs == [dialog])
        #expect(log.count(.error) == 0)
    }

    @Test("R-8 a thousand changes of a device are one write") func coalesces() async {
        let store = store()
        var changed = device
        for second in 0..<1000 {
            changed.keepaliveAt = Int64(second)
            store.save(changed)
        }
        await store.flush()
        #expect(store.statistics.savedDevices == 1)
        #expect(store.statistics.transactions == 1)
        #expect(await store.load().devices == [changed])
        await store.flush()
        #expect(store.statistics.transactions == 1)
    }

    @Test func aNewCatalogReplacesTheOldOne() async {
        let store = store()
        let ids = ["1", "2", "3"].map { StoredChannel(deviceID: device.id, id: $0) }
        let other = StoredChannel(deviceID: "other", id: "1")
        store.replaceChannels(of: "other", by: [other])
        store.replaceChannels(of: device.id, by: ids)
        await store.flush()
        store.replaceChannels(of: device.id, by: [ids[1], ids[1]])
        await store.flush()
        #expect(Set(await store.load().channels) == [other, ids[1]])
    }

    @Test func whatIsRemovedIsGone() async {
        let store = store()
        store.save(device)
        store.replaceChannels(of: device.id, by: [StoredChannel(deviceID: device.id, id: "1")])
        store.save(dialog)
        await store.flush()
        store.removeDevice(device.id)
        store.removeDialog(callID: dialog.callID)
        await store.flush()
        #expect(await store.load() == StoredState())
    }

    @Test func dialogsDoNotWaitForTheSecond() async {
        let slow = DeviceStore(path: file, logger: log.logger, interval: .seconds(3600))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await slow.run() }
            slow.save(device)
            slow.save(dialog)
            while slow.statistics.transactions == 0 { await Task.yield() }
            #expect(await store().load().dialogs == [dialog])
            #expect(await store().load().devices.isEmpty)
            group.cancelAll()
        }
        // The end writes the rest.
        #expect(await store().load().devices == [device])
    }

    @Test func aFailingDiskIsReportedOnceAndTriedAgain() async throws {
        // A file stands where the folder should be.
        try folder.write("", to: "data")
        let store = store()
        #expect(await store.load() == StoredState())
        store.save(device)
        await store.flush()
        await store.flush()
        #expect(log.count(.error) == 1)
        #expect(store.statistics.failures == 3)

        try FileManager.default.removeItem(atPath: "\(folder.path)/data")
        await store.flush()
        #expect(log.count(.notice) == 1)
        #expect(await self.store().load().devices == [device])
    }

    @Test func aBrokenDatabaseIsPutAside() async throws {
        try FileManager.default.createDirectory(atPath: "\(folder.path)/data", withIntermediateDirectories: true)
        try folder.write(String(repeating: "no database. ", count: 500), to: "data/gbgate.sqlite")
        let store = store()
        #expect(await store.load() == StoredState())
        store.save(device)
        await store.flush()
        #expect(await store.load().devices == [device])
        #expect(log.count(.error) == 1)
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/data")
        #expect(names.contains { $0.hasPrefix("gbgate.sqlite.broken-") })
    }
}
