import NIOCore
import SIP
import Testing

@testable import GB28181

@Suite("Signalling: device info, catalog, alarms")
struct CatalogQueryTests {
    private func bodies(_ world: World) -> [(Int64, String)] {
        world.requests(.message).map { ($0.at, String(decoding: $0.request.body, as: UTF8.self)) }
    }

    @Test("DeviceInfo, then Catalog follow the registration within 2 s, spaced, to the device's own ID")
    func asksAfterRegistration() {
        var world = World()
        world.cameras[0].channels = ["34020000001310000001", "34020000001310000002"]
        world.camera { $0.register(now: $1) }
        world.run(2000)
        let bodies = bodies(world)
        #expect(bodies.count == 2)
        #expect(bodies[0].1.contains("DeviceInfo") && bodies[1].1.contains("Catalog"))
        #expect(bodies[0].0 >= 100 && bodies[1].0 - bodies[0].0 >= 100)
        #expect(world.requests(.message).allSatisfy { $0.request.headers.to?.uri.user == cameraID })
        let device = world.core.device(cameraID)
        #expect(device?.name == "Front" && device?.manufacturer == "M")
        #expect(device?.channels.map(\.deviceID) == ["34020000001310000001", "34020000001310000002"])
        #expect(device?.channels.first?.name == "大门")
        #expect(device?.catalog == .complete)
        #expect(world.events.contains(.catalogUpdated(deviceID: cameraID, isComplete: true)))
        #expect(world.cameras[0].messageAnswers == [200, 200, 200])
    }

    @Test("the operator's name stays")
    func keepsProvisionedNames() {
        var world = World { $0.provisioned[cameraID] = ProvisionedDevice(name: "North door") }
        #expect(world.core.device(cameraID)?.name == "North door")
        world.settle()
        #expect(world.core.device(cameraID)?.name == "North door")
    }

    @Test("the catalog is asked again every interval; a zero interval never does", arguments: [3600, 0])
    func repeatsRoutinely(_ seconds: Int64) {
        var world = World { $0.catalogQueryInterval = .seconds(seconds) }
        world.settle()
        for _ in 0..<72 {
            world.camera { $0.keepalive(now: $1) }
            world.run(60_000)
        }
        let catalogs = bodies(world).filter { $0.1.contains("Catalog") }
        #expect(catalogs.count == (seconds == 0 ? 0 : 1))
    }

    @Test("a camera that restarts over and over is asked for its catalog at most every 30 s")
    func spacesQueries() {
        var world = World { $0.registrationsPerMinute = 1000 }
        for _ in 0..<12 {
            world.camera { $0.register(restart: true, now: $1) }
            world.run(2500)
            world.camera { $0.register(expires: 0, now: $1) }
            world.run(2500)
        }
        let times = bodies(world).filter { $0.1.contains("Catalog") }.map(\.0)
        #expect(times.count >= 2)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 >= 30_000 })
    }

    @Test("a silent camera is asked four times, then left alone until the next interval")
    func givesUpAsking() {
        var world = World { $0.catalogQueryInterval = .seconds(0) }
        world.cameras[0].answersQueries = false
        world.camera { $0.register(now: $1) }
        for _ in 0..<20 {
            world.camera { $0.keepalive(now: $1) }
            world.run(30_000)
        }
        #expect(bodies(world).filter { $0.1.contains("Catalog") }.count == 4)
        #expect(world.core.device(cameraID)?.catalog == .unknown)
        #expect(world.core.device(cameraID)?.isOnline == true)
    }

    private func part(_ ids: [String], sum: Int, sn: Int) -> [UInt8] {
        ManscdpReport.catalog(
            CatalogPart(sn: sn, deviceID: cameraID, sumNum: sum, items: ids.map { CatalogItem(deviceID: $0, name: $0) })
        ).encoded()
    }

    private func lastQuery(_ world: World) -> Int {
        let bodies = world.requests(.message).map(\.request.body)
        let queries = bodies.compactMap { try? ManscdpMessage.parse($0) }
        return queries.last { if case .query(.catalog) = $0 { true } else { false } }?.sn ?? -1
    }

    @Test("R-28 a partial catalog is listed, flagged, and completed by a late part")
    func listsPartialCatalogs() {
        var world = World()
        world.cameras[0].answersQueries = false
        world.camera { $0.register(now: $1) }
        world.run(2000)
        let sn = lastQuery(world)
        world.camera { $0.message(part(["a", "b"], sum: 3, sn: sn), now: $1) }
        world.run(4000)
        #expect(world.core.device(cameraID)?.channels.count == 2)
        #expect(world.core.device(cameraID)?.catalog == .incomplete)
        #expect(world.events.contains(.catalogUpdated(deviceID: cameraID, isComplete: false)))
        world.camera { $0.message(part(["c"], sum: 3, sn: sn), now: $1) }
        world.run(50)
        #expect(world.core.device(cameraID)?.channels.map(\.deviceID) == ["a", "b", "c"])
        #expect(world.core.device(cameraID)?.catalog == .complete)
    }

    @Test("a query tells how it goes; a wish for one joins that which is under way")
    func reportsProgress() {
        var world = World()
        world.cameras[0].answersQueries = false
        func report(_ world: World) -> CatalogQueryReport? { world.core.device(cameraID)?.catalogQuery }
        func ask(_ world: inout World) {
            let (isSent, actions) = world.core.queryCatalog(cameraID, now: world.now)
            #expect(isSent)
            world.apply(actions)
            world.run(50)
        }
        func queries(_ world: World) -> Int { bodies(world).filter { $0.1.contains("Catalog") }.count }
        #expect(world.core.queryCatalog(cameraID, now: world.now).isSent == false)
        world.camera { $0.register(now: $1) }
        world.run(20)
        #expect(report(world) == CatalogQueryReport())
        world.run(2000)
        ask(&world)
        #expect(queries(world) == 1)
        #expect(report(world)?.received == 0 && report(world)?.at != nil)
        let sn = lastQuery(world)
        world.camera { $0.message(part(["a", "b"], sum: 3, sn: sn), now: $1) }
        world.run(50)
        #expect(report(world)?.received == 2 && report(world)?.total == 3 && report(world)?.fault == "")
        ask(&world)
        #expect(queries(world) == 1)
        world.run(4000)
        #expect(report(world)?.fault == "2 of 3 items came" && report(world)?.isFailed == false)
        ask(&world)
        #expect(queries(world) == 2)
        #expect(report(world)?.received == 0 && report(world)?.fault == "")
        world.run(16_000)
        #expect(report(world)?.isFailed == true && report(world)?.fault == "no answer")
    }

    @Test("what a complete catalog leaves out goes offline, an empty or partial one changes nothing")
    func marksMissingChannels() {
        var world = World()
        world.cameras[0].channels = ["a", "b"]
        world.settle()
        world.cameras[0].answersQueries = false
        func answer(_ world: inout World, _ ids: [String], sum: Int) -> [Bool] {
            world.apply(world.core.queryCatalog(cameraID, now: world.now).actions)
            world.run(10)
            let sn = lastQuery(world)
            world.camera { $0.message(part(ids, sum: sum, sn: sn), now: $1) }
            world.run(70_000)
            world.camera { $0.keepalive(now: $1) }
            world.run(10)
            return world.core.device(cameraID)?.channels.map(\.isOnline) ?? []
        }
        var online = answer(&world, ["a"], sum: 5)
        #expect(online == [true, true])
        online = answer(&world, [], sum: 0)
        #expect(online == [true, true])
        online = answer(&world, ["b"], sum: 1)
        #expect(online == [false, true])
        online = answer(&world, ["a", "b"], sum: 2)
        #expect(online == [true, true])
    }

    @Test("the charset of a camera's own messages is that of the queries to it")
    func learnsCharsets() {
        var world = World()
        world.settle()
        let item = CatalogItem(deviceID: "34020000001310000001", name: "北门")
        let part = CatalogPart(sn: 1, deviceID: cameraID, sumNum: 1, items: [item])
        world.camera { $0.message(ManscdpReport.catalog(part).encoded(charset: .utf8), now: $1) }
        world.run(10)
        #expect(world.core.device(cameraID)?.charset == .utf8)
        #expect(world.core.device(cameraID)?.channels.contains { $0.name == "北门" } == true)
    }

    @Test("an alarm is reported once and answered with 200 and a Response")
    func answersAlarms() {
        var world = World()
        world.settle()
        let alarm =
            "<?xml version=\"1.0\"?><Notify><CmdType>Alarm</CmdType><SN>99</SN><DeviceID>34020000001340000001</DeviceID>"
            + "<AlarmPriority>4</AlarmPriority><AlarmMethod>5</AlarmMethod><AlarmTime>2025-04-22T11:26:02</AlarmTime></Notify>"
        for _ in 0..<2 {
            world.camera { $0.message(Array(alarm.utf8), now: $1) }
            world.run(10)
        }
        let alarms = world.events.filter { if case .alarm = $0 { true } else { false } }
        #expect(alarms.count == 1)
        let responses = bodies(world).filter {
            $0.1.contains("<Response>") && $0.1.contains("Alarm") && $0.1.contains("99")
        }
        #expect(responses.count == 2)
        #expect(world.cameras[0].messageAnswers.suffix(2) == [200, 200])
    }

    @Test("what cannot be understood is answered 200, counted and logged")
    func survivesNonsense() {
        var world = World()
        world.settle()
        for body in [
            "<Notify><CmdType>Strange</CmdType><SN>1</SN><DeviceID>1</DeviceID></Notify>", "no xml",
            "<!DOCTYPE a><Notify/>",
        ] {
            world.camera { $0.message(Array(body.utf8), now: $1) }
            world.run(10)
        }
        #expect(world.cameras[0].messageAnswers.suffix(3) == [200, 200, 200])
        #expect(world.core.device(cameraID)?.statistics.unreadableBodies == 2)
        #expect(world.logs.contains { $0.contains("Strange") })
    }

    @Test("catalog notifications switch, add and remove channels")
    func appliesNotifications() {
        var world = World()
        world.cameras[0].channels = ["a", "b"]
        world.settle()
        func notify(_ items: String) {
            let text =
                "<Notify><CmdType>Catalog</CmdType><SN>4</SN><DeviceID>\(cameraID)</DeviceID><SumNum>1</SumNum><DeviceList Num=\"1\">\(items)</DeviceList></Notify>"
            world.camera { $0.message(Array(text.utf8), now: $1) }
            world.run(10)
        }
        notify("<Item><DeviceID>a</DeviceID><Event>OFF</Event></Item>")
        #expect(world.core.device(cameraID)?.channels.map(\.isOnline) == [false, true])
        #expect(world.core.device(cameraID)?.channels.first?.name == "大门", "a status alone does not wipe the name")
        notify("<Item><DeviceID>c</DeviceID><Name>new</Name><Event>ADD</Event></Item>")
        notify("<Item><DeviceID>b</DeviceID><Event>DEL</Event></Item>")
        #expect(world.core.device(cameraID)?.channels.map(\.deviceID) == ["a", "c"])
    }
}
