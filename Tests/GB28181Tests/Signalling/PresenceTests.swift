import NIOCore
import SIP
import Testing

@testable import GB28181

@Suite("Signalling: presence (3.2)")
struct PresenceTests {
    private func isOnline(_ world: World) -> Bool { world.core.device(cameraID)?.isOnline ?? false }

    @Test("R-5 keepsOnlineWhileKeepalivesArrive, whatever became of queries")
    func keepsOnlineWhileKeepalivesArrive() {
        var world = World()
        world.cameras[0].answersQueries = false
        world.settle()
        for _ in 0..<60 {
            world.camera { $0.keepalive(now: $1) }
            world.run(60_000)
        }
        #expect(isOnline(world))
        #expect(world.cameras[0].messageAnswers.allSatisfy { $0 == 200 })
        #expect(world.core.device(cameraID)?.statistics.keepalives == 60)
        #expect(world.core.device(cameraID)?.keepaliveInterval == 60)
        #expect(world.core.device(cameraID)?.statistics.failedQueries ?? 0 > 0)
    }

    @Test("R-6 a silent camera is offline after 180 s, a slow one after three of its intervals")
    func noticesSilence() {
        var world = World()
        world.settle()
        world.camera { $0.keepalive(now: $1) }
        world.run(179_000)
        #expect(isOnline(world))
        world.run(2_000)
        #expect(world.events.contains(.deviceOffline(deviceID: cameraID, .silent)))
        var slow = World()
        slow.settle()
        for _ in 0..<5 {
            slow.camera { $0.keepalive(now: $1) }
            slow.run(120_000)
        }
        slow.camera { $0.keepalive(now: $1) }
        slow.run(355_000)
        #expect(isOnline(slow))
        slow.run(10_000)
        #expect(!isOnline(slow))
    }

    @Test("a camera whose registration ran out in silence is offline")
    func noticesExpiry() {
        var world = World()
        world.cameras[0].expires = 100
        world.settle()
        world.run(105_000)
        #expect(isOnline(world))
        world.run(10_000)
        #expect(!isOnline(world))
    }

    @Test("R-4 a new port between keepalives moves the next INVITE there and is stored")
    func followsTheFlow() {
        var world = World()
        world.settle()
        world.cameras[0].flow = flow(7777)
        world.camera { $0.keepalive(now: $1) }
        world.run(50)
        #expect(world.core.device(cameraID)?.flow?.remotePort == 7777)
        #expect(world.core.device(cameraID)?.statistics.flowChanges == 1)
        #expect(world.events.contains(.persistDevice(deviceID: cameraID)))
        world.invite()
        #expect(world.sent.last?.flow.remotePort == 7777)
        #expect(world.requests(.invite).last?.request.uri.hasSuffix(":7777") == true)
        world.run(50)
        #expect(world.core.allSessions.first?.isStreaming == true)
    }

    @Test("keepalives of unknown cameras are refused, so that they register")
    func refusesStrangers() {
        var world = World()
        world.camera { $0.keepalive(now: $1) }
        world.run(50)
        #expect(world.cameras[0].messageAnswers == [403])
        #expect(world.core.statistics.strangers == 1)
        #expect(world.core.devices.isEmpty)
        #expect(world.core.transactions.serverCount == 0, "strangers leave nothing behind")
    }

    @Test("R-10 after a restart a keepalive from the last address is enough, from another it is not")
    func resumesAfterRestart() {
        var world = World()
        var record = RestoredDevice(id: cameraID)
        record.name = "Gate"
        record.flow = flow()
        record.registeredAt = 1
        record.channels = [CatalogItem(deviceID: cameraID, name: "Gate")]
        world.core.restore([record])
        #expect(world.core.device(cameraID)?.isOnline == false)
        world.cameras[0].flow = flow(5060, host: "203.0.113.9")
        world.camera { $0.keepalive(now: $1) }
        world.run(50)
        #expect(world.cameras[0].messageAnswers == [403])
        world.cameras[0].flow = flow(5999)
        world.camera { $0.keepalive(now: $1) }
        world.run(50)
        #expect(world.cameras[0].messageAnswers == [403, 200])
        #expect(world.events.contains(.deviceOnline(deviceID: cameraID, .traffic)))
        #expect(world.core.device(cameraID)?.channels.count == 1)
        world.invite()
        world.run(50)
        #expect(world.core.allSessions.first?.isStreaming == true)
    }

    @Test("a camera that was silent and speaks again is online again")
    func returns() {
        var world = World()
        world.settle()
        world.run(200_000)
        #expect(!isOnline(world))
        world.camera { $0.keepalive(now: $1) }
        world.run(50)
        #expect(isOnline(world))
        #expect(world.core.onlineDeviceCount == 1)
    }

    @Test("a broken TCP connection takes the camera offline at once; its media ends 10 s later, unless it reconnects")
    func followsConnections() {
        for reconnects in [false, true] {
            var world = World([CameraModel(flow: flow(40_000, tcp: 3))])
            world.camera { $0.register(now: $1) }
            world.run(3000)
            #expect(world.events.contains(.flowTrusted(flow(40_000, tcp: 3))))
            world.invite()
            world.run(50)
            #expect(world.core.allSessions.first?.isStreaming == true)
            world.apply(world.core.flowClosed(flow(40_000, tcp: 3), now: world.now))
            #expect(world.events.contains(.deviceOffline(deviceID: cameraID, .connectionClosed)))
            world.run(5000)
            if reconnects {
                world.cameras[0].flow = flow(40_001, tcp: 4)
                world.camera { $0.register(restart: true, now: $1) }
            }
            world.run(6000)
            #expect(world.core.allSessions.isEmpty == !reconnects)
            #expect(isOnline(world) == reconnects)
            world.run(100_000)
            #expect(world.core.openFarewells == (reconnects ? 0 : 1))
        }
    }

    @Test("a BYE that the broken connection swallowed is said when the camera is back")
    func saysByeOnReturn() {
        var world = World([CameraModel(flow: flow(40_000, tcp: 3))])
        world.settle()
        world.invite()
        world.run(50)
        world.apply(world.core.flowClosed(flow(40_000, tcp: 3), now: world.now))
        world.run(20_000)
        #expect(world.cameras[0].streaming.count == 1)
        world.cameras[0].flow = flow(40_001, tcp: 4)
        world.camera { $0.register(restart: true, now: $1) }
        world.run(3000)
        #expect(world.cameras[0].streaming.isEmpty)
        #expect(world.core.openFarewells == 0)
    }

    @Test("keepalives are recognised without the XML parser, and nothing else is")
    func scansKeepalives() {
        func plain(_ text: String) -> Bool { KeepaliveScanner.isPlainKeepalive(Array(text.utf8)) }
        #expect(
            plain(
                "<?xml version=\"1.0\"?>\r\n<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n<SN>43</SN>\r\n<DeviceID>1</DeviceID>\r\n<Status>OK</Status>\r\n</Notify>\r\n"
            )
        )
        #expect(!plain("<Notify><CmdType>Alarm</CmdType></Notify>"))
        #expect(!plain(""))
        #expect(
            !plain(
                "<Notify><CmdType>Keepalive</CmdType><SN>1</SN><Info>"
                    + String(repeating: "<DeviceID>1</DeviceID>", count: 3)
                    + "</Info></Notify>"
            )
        )
    }
}
