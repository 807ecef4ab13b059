import FoundationEssentials
import Gateway
import Testing

@Suite struct ProvisionedDeviceTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func aFolderThatIsNotThereIsEmpty() {
        let (devices, problems) = ProvisionedDevice.load(folder: "\(folder.path)/nope")
        #expect(devices == [] && problems == [])
    }

    @Test func oneDeviceOrAListAFile() throws {
        try folder.write(
            #"{id: "34020000001320000002", name: "Gate", password: "own", transport: "tcp_passive"}"#,
            to: "gate.json"
        )
        try folder.write(#"[{"id":"34020000001320000003"},{"id":"34020000001320000001"}]"#, to: "more.json")
        try folder.write("not read", to: "readme.md")
        try FileManager.default.createDirectory(atPath: "\(folder.path)/profiles", withIntermediateDirectories: true)
        try folder.write("{}", to: "profiles/vendor.json")
        let (devices, problems) = ProvisionedDevice.load(folder: folder.path)
        #expect(problems == [])
        #expect(devices.map { $0.id.suffix(1) } == ["1", "2", "3"])
        #expect(devices[1].name == "Gate" && devices[1].transport == "tcp_passive")
        #expect(devices[1].password.value == "own")
        #expect(!"\(devices)".contains("own"))
    }

    @Test func aWrongFileIsNamedAndTheOthersCount() throws {
        try folder.write("{", to: "a.json")
        try folder.write(#"{"id":"1","transport":"carrier pigeon"}"#, to: "b.json")
        try folder.write(#"{"name":"no id"}"#, to: "c.json")
        try folder.write(#"{"id":"2","pasword":"x"}"#, to: "d.json")
        try folder.write(#"{"id":"2","media_ip":"192.0.2.1","stream_selection":"streamMode"}"#, to: "e.json")
        try folder.write(#"{"id":"3","stream_selection":"streammode"}"#, to: "f.json")
        let (devices, problems) = ProvisionedDevice.load(folder: folder.path)
        #expect(devices.map(\.id) == ["2"])
        #expect(devices.first?.mediaIp == "192.0.2.1" && devices.first?.streamSelection == "streamMode")
        let texts = problems.map { $0.description.replacing("\(folder.path)/", with: "") }
        #expect(texts.count == 6)
        #expect(texts[0].hasPrefix("a.json: is no JSON"))
        #expect(
            texts[1] == #"b.json: transport: "carrier pigeon" is not allowed; allowed: udp, tcp_passive, tcp_active"#
        )
        #expect(texts[2] == #"c.json: id: "" is not allowed; allowed: the device's ID, 20 digits"#)
        #expect(texts[3] == "d.json: pasword: unknown key, ignored; did you mean password?")
        let forms = "streamnumber, streamprofile, streamMode, stream"
        #expect(texts[5] == #"f.json: stream_selection: "streammode" is not allowed; allowed: \#(forms)"#)
        #expect(texts[4] == "e.json: device 2 is provisioned twice; this one counts")
    }
}
