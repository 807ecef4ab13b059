import Testing
import Wire

@testable import GB28181

/// a sub stream is asked for in the words that the device knows.
struct StreamSelectionTests {
    private static func device(
        version: String = "2.0",
        manufacturer: String = "",
        userAgent: String = ""
    ) -> Device {
        var device = Device(id: cameraID)
        device.protocolVersion = version
        device.manufacturer = manufacturer
        device.userAgent = userAgent
        return device
    }

    @Test func devicesAreKnownByVersionAndMaker() {
        #expect(Self.device(version: "3.0", manufacturer: "Dahua").streamSelection == .streamNumber)
        #expect(Self.device(manufacturer: "Dahua").streamSelection == .streamProfile)
        #expect(Self.device(manufacturer: "浙江大华").streamSelection == .streamProfile)
        #expect(Self.device(userAgent: "SIP UAS V3.0.0.123").streamSelection == .streamProfile)
        #expect(Self.device(userAgent: "DH SIP UAS V1.0").streamSelection == .streamProfile)
        #expect(Self.device(manufacturer: "TP-LINK").streamSelection == .streamMode)
        for device in [
            Self.device(), Self.device(version: "2.0", manufacturer: "Hikvision", userAgent: "IP Camera"),
            Self.device(version: ""), Self.device(version: "x.y"), Self.device(version: "-3"),
        ] {
            #expect(device.streamSelection == nil)
        }
    }

    @Test(arguments: [
        (StreamSelection.streamNumber, 1, "a=streamnumber:1"), (.streamNumber, 2, "a=streamnumber:2"),
        (.streamProfile, 1, "a=streamprofile:1"), (.streamMode, 1, "a=streamMode:sub"), (.stream, 0, "a=stream:main"),
    ])
    func theOfferNamesIt(selection: StreamSelection, number: Int, line: String) throws {
        let offer = MediaOffer(
            channelID: "34020000001310000001",
            platformID: platformID,
            host: "192.0.2.1",
            port: 30_000,
            transport: .udp,
            ssrc: SSRC(value: 1),
            streamSelection: selection.attribute(number)
        )
        let text = String(decoding: offer.body, as: UTF8.self)
        // Before y= and f=, which some cameras want at the end.
        #expect(text.contains("\r\n\(line)\r\ny="), "\(text)")
        let read = try SessionDescription.parse(offer.body)
        #expect(StreamSelection.number(in: read.media[0]) == number)
    }

    @Test func whereOnlyMainAndSubHaveNamesThereIsNoThird() {
        #expect(StreamSelection.streamMode.attribute(2) == nil)
        #expect(StreamSelection.stream.attribute(9) == nil)
    }

    @Test(
        arguments: [
            ("0/1", [0, 1]), ("0/1/2", [0, 1, 2]), (" 1 / 0 ", [0, 1]), ("1/1/0", [0, 1]), ("0", [0]),
            ("", nil), ("main/sub", nil), ("0/99/-1/1", [0, 1]), (String(repeating: "1/", count: 10_000), [1]),
        ] as [(String, [Int]?)]
    )
    func theCatalogListsThem(text: String, numbers: [Int]?) {
        var item = CatalogItem(deviceID: cameraID)
        #expect(item.streamNumbers == nil)
        item.extras = [.init("StreamNumberList", text)]
        #expect(item.streamNumbers == numbers)
    }
}
