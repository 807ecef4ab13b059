import GB28181
import Testing

struct MANSCDPMessageTests {
    private func parse(_ body: String) throws -> ManscdpMessage {
        try ManscdpMessage.parse(Array(body.utf8))
    }

    @Test func readsAKeepaliveAndItsFaultyChildren() throws {
        let message = try parse(
            """
            <?xml version="1.0" encoding="GB2312"?>
            <Notify><CmdType>Keepalive</CmdType><SN>43</SN><DeviceID>34020000001320000001</DeviceID><Status>OK</Status>
            <Info><DeviceID>34020000001310000003</DeviceID><DeviceID>34020000001310000004</DeviceID></Info></Notify>
            """
        )
        let faulty = ["34020000001310000003", "34020000001310000004"]
        #expect(message == .keepalive(Keepalive(sn: 43, deviceID: "34020000001320000001", faultyIDs: faulty)))
    }

    @Test func readsElementsInAnyOrderAndRootsInAnyCase() throws {
        let message = try parse(
            "<notify><Status>ERROR</Status><DeviceID>1</DeviceID><SN>2</SN><CmdType>Keepalive</CmdType></notify>"
        )
        #expect(message == .keepalive(Keepalive(sn: 2, deviceID: "1", isOK: false)))
    }

    @Test func readsACatalogItemInFull() throws {
        let message = try parse(
            """
            <Response><CmdType>Catalog</CmdType><SN>17</SN><DeviceID>34020000001180000001</DeviceID><SumNum>2</SumNum>
            <DeviceList Num="1"><Item><DeviceID>34020000001310000001</DeviceID><Name>Gate</Name>
            <Manufacturer>M</Manufacturer><Model>X</Model><Owner>Owner</Owner><CivilCode>340200</CivilCode><Block>b</Block>
            <Address>a</Address><Parental>65535</Parental>
            <ParentID>34020000001180000001/34020000002160000001</ParentID><RegisterWay>1</RegisterWay>
            <IPAddress>rtsp://admin:pa@ss@10.0.0.1:554/live?x=1</IPAddress><Port>8000</Port><Password>p</Password>
            <Status>Online</Status><Longitude>118.36</Longitude><Latitude>31.33</Latitude>
            <Info><PTZType>1</PTZType><PositionType>3</PositionType><Password>q</Password></Info></Item></DeviceList></Response>
            """
        )
        guard case .catalogResponse(let part) = message else { return #expect(Bool(false), "\(message)") }
        #expect(part.sn == 17)
        #expect(part.sumNum == 2)
        #expect(!part.isRepaired)
        let item = try #require(part.items.first)
        #expect(
            item
                == CatalogItem(
                    deviceID: "34020000001310000001",
                    name: "Gate",
                    manufacturer: "M",
                    model: "X",
                    civilCode: "340200",
                    address: "a",
                    hasChildren: true,
                    parentIDs: ["34020000001180000001", "34020000002160000001"],
                    ptzType: 1,
                    longitude: 118.36,
                    latitude: 31.33,
                    extras: [
                        .init("Owner", "Owner"), .init("Block", "b"), .init("RegisterWay", "1"),
                        .init("IPAddress", "rtsp://10.0.0.1:554/live?x=1"), .init("Port", "8000"),
                        .init("PositionType", "3"),
                    ]
                )
        )
    }

    @Test(arguments: [
        ("rtsp://admin:secret@10.0.0.1/a", "rtsp://10.0.0.1/a"), ("rtsp://10.0.0.1:554/a", "rtsp://10.0.0.1:554/a"),
        ("http://u@h", "http://h"), ("10.0.0.1", "10.0.0.1"), ("rtsp://u:p/q@h/a", "rtsp://h/a"),
        ("rtsp://h/a@b", "rtsp://h/a@b"), ("://", "://"),
    ])
    func hidesTheUserinfoOfURLs(url: String, shown: String) throws {
        let message = try parse(
            "<Response><CmdType>Catalog</CmdType><SN>1</SN><Item><DeviceID>1</DeviceID><IPAddress>\(url)</IPAddress></Item></Response>"
        )
        guard case .catalogResponse(let part) = message else { return #expect(Bool(false)) }
        #expect(part.items.first?.extra("IPAddress") == shown)
    }

    @Test(arguments: [
        ("ON", true), ("On", true), ("OK", true), ("ONLINE", true), ("", true), ("OFF", false), ("x", false),
    ])
    func readsTheStatusesOfTheField(text: String, isOnline: Bool) throws {
        let message = try parse(
            "<Response><CmdType>Catalog</CmdType><SN>1</SN><Item><DeviceID>1</DeviceID><Status>\(text)</Status></Item></Response>"
        )
        guard case .catalogResponse(let part) = message else { return #expect(Bool(false)) }
        #expect(part.items.first?.isOnline == isOnline)
        #expect(part.items.first?.hasStatus == !text.isEmpty)
    }

    @Test func ignoresPositionsThatAreNone() throws {
        for (longitude, latitude) in [("0", "0.0"), ("", ""), ("x", "y"), ("999", "31"), ("nan", "inf")] {
            let message = try parse(
                """
                <Response><CmdType>Catalog</CmdType><SN>1</SN><Item><DeviceID>1</DeviceID>
                <Longitude>\(longitude)</Longitude><Latitude>\(latitude)</Latitude></Item></Response>
                """
            )
            guard case .catalogResponse(let part) = message else { return #expect(Bool(false)) }
            #expect(part.items.first?.longitude == nil)
        }
    }

    @Test func countsItemsWithoutAnID() throws {
        let message = try parse(
            "<Response><CmdType>Catalog</CmdType><SN>1</SN><Item><Name>x</Name></Item><Item><DeviceID>1</DeviceID></Item></Response>"
        )
        guard case .catalogResponse(let part) = message else { return #expect(Bool(false)) }
        #expect(part.items.map(\.deviceID) == ["1"])
        #expect(part.unusableItems == 1)
        #expect(part.sumNum == nil)
    }

    @Test func readsACatalogNotification() throws {
        let message = try parse(
            """
            <Notify><CmdType>Catalog</CmdType><SN>31</SN><DeviceID>1</DeviceID><SumNum>1</SumNum><DeviceList Num="1">
            <Item><DeviceID>34020000001310000003</DeviceID><Event>OFF</Event></Item></DeviceList></Notify>
            """
        )
        guard case .catalogNotification(let part) = message else { return #expect(Bool(false)) }
        #expect(part.items.first?.event == .off)
        #expect(part.items.first?.hasStatus == false)
    }

    @Test func readsDeviceInfoOf2011And2016() throws {
        let old = try parse(
            "<Response><CmdType>DeviceInfo</CmdType><SN>9</SN><DeviceID>1</DeviceID><Result>OK</Result><MaxCamera>4</MaxCamera></Response>"
        )
        #expect(old == .deviceInfoResponse(DeviceInfo(sn: 9, deviceID: "1", channelCount: 4)))
        let error = try parse(
            "<Response><CmdType>DeviceInfo</CmdType><SN>9</SN><DeviceID>1</DeviceID><Result>ERROR</Result></Response>"
        )
        #expect(error == .deviceInfoResponse(DeviceInfo(sn: 9, deviceID: "1", isOK: false)))
    }

    @Test func readsAnAlarm() throws {
        let message = try parse(
            """
            <Notify><CmdType>Alarm</CmdType><SN>99</SN><DeviceID>34020000001340000001</DeviceID>
            <AlarmPriority>4</AlarmPriority><AlarmMethod>5</AlarmMethod><AlarmTime>2025-04-22T11:26:02</AlarmTime>
            <AlarmDescription>d</AlarmDescription><Info><AlarmType>2</AlarmType></Info></Notify>
            """
        )
        guard case .alarm(let alarm) = message else { return #expect(Bool(false)) }
        #expect(alarm.priority == 4)
        #expect(alarm.method == 5)
        #expect(alarm.type == 2)
        #expect(alarm.time == "2025-04-22T11:26:02")
    }

    @Test func readsTheEndOfAFile() throws {
        let message = try parse(
            "<Notify><CmdType>MediaStatus</CmdType><SN>1</SN><DeviceID>1</DeviceID><NotifyType>121</NotifyType></Notify>"
        )
        #expect(message == .mediaStatus(MediaStatus(sn: 1, deviceID: "1", notifyType: 121)))
    }

    @Test func readsRecordings() throws {
        let message = try parse(
            """
            <Response><CmdType>RecordInfo</CmdType><SN>18</SN><DeviceID>1</DeviceID><SumNum>134</SumNum><RecordList Num="1">
            <Item><DeviceID>1</DeviceID><StartTime>2024-5-4T1:2:3</StartTime></Item></RecordList></Response>
            """
        )
        guard case .recordInfoResponse(let part) = message else { return #expect(Bool(false)) }
        #expect(part.sumNum == 134)
        #expect(part.records == [[.init("DeviceID", "1"), .init("StartTime", "2024-5-4T1:2:3")]])
    }

    @Test func namesWhatItDoesNotKnow() throws {
        let message = try parse("<Notify><CmdType>VideoUploadNotify</CmdType><SN>5</SN><DeviceID>1</DeviceID></Notify>")
        #expect(message == .unknown(root: .notify, cmdType: "VideoUploadNotify", sn: 5, deviceID: "1"))
    }

    @Test(arguments: [
        ManscdpQuery.catalog(sn: 1, deviceID: "34020000001320000001"), .deviceInfo(sn: 2, deviceID: "1"),
        .deviceStatus(sn: 2_147_483_647, deviceID: "340200"),
    ])
    func readsTheQueriesThatItWrites(query: ManscdpQuery) throws {
        for charset in [Charset.gb2312, .gb18030, .utf8] {
            #expect(try ManscdpMessage.parse(query.encoded(charset: charset)) == .query(query))
        }
    }

    @Test func writesAQueryAsTheStandardShowsIt() {
        let text = String(
            decoding: ManscdpQuery.catalog(sn: 17, deviceID: "34020000001180000001").encoded(),
            as: UTF8.self
        )
        #expect(
            text
                == "<?xml version=\"1.0\" encoding=\"GB2312\"?>\r\n<Query>\r\n<CmdType>Catalog</CmdType>\r\n<SN>17</SN>\r\n"
                + "<DeviceID>34020000001180000001</DeviceID>\r\n</Query>\r\n"
        )
    }

    @Test func readsTheReportsThatItWrites() throws {
        let item = CatalogItem(
            deviceID: "34020000001310000001",
            name: "大门 <\"&'>",
            manufacturer: "gbgate",
            hasChildren: true,
            parentIDs: ["34020000001180000001"],
            isOnline: false,
            ptzType: 3,
            longitude: 118.5,
            latitude: 31.25,
            extras: [.init("Owner", "Owner")]
        )
        let part = CatalogPart(sn: 4, deviceID: "34020000001180000001", sumNum: 9, items: [item])
        let info = DeviceInfo(
            sn: 5,
            deviceID: "1",
            name: "球机",
            manufacturer: "m",
            model: "x",
            firmware: "1",
            channelCount: 1
        )
        let status = DeviceStatus(
            sn: 6,
            deviceID: "1",
            isHealthy: false,
            reason: "热",
            isEncoding: true,
            isRecording: false
        )
        for charset in [Charset.gb2312, .gb18030, .utf8] {
            #expect(
                try ManscdpMessage.parse(ManscdpReport.catalog(part).encoded(charset: charset))
                    == .catalogResponse(part)
            )
            #expect(
                try ManscdpMessage.parse(ManscdpReport.deviceInfo(info).encoded(charset: charset))
                    == .deviceInfoResponse(info)
            )
            #expect(
                try ManscdpMessage.parse(ManscdpReport.deviceStatus(status).encoded(charset: charset))
                    == .deviceStatusResponse(status)
            )
        }
        let keepalive = Keepalive(sn: 1, deviceID: "1", isOK: false, faultyIDs: ["2"])
        #expect(try ManscdpMessage.parse(ManscdpReport.keepalive(keepalive).encoded()) == .keepalive(keepalive))
        let media = MediaStatus(sn: 1, deviceID: "1", notifyType: 121)
        #expect(try ManscdpMessage.parse(ManscdpReport.mediaStatus(media).encoded()) == .mediaStatus(media))
    }
}
