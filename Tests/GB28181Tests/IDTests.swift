import GB28181
import Testing

struct IDTests {
    @Test(arguments: [
        ("34020000001320000001", GBID.Kind.camera), ("34020000001310000001", .camera),
        ("34020000001180000001", .recorder), ("34020000001110000001", .recorder), ("34020000002000000001", .platform),
        ("34020000002150000001", .businessGroup), ("34020000002160000001", .virtualOrganisation),
        ("34020000001340000001", .alarmInput), ("34020000001370000001", .audioOutput), ("340200", .division),
        ("34020000009990000001", .unknown), ("3402000", .unknown), ("130909115229300920", .unknown),
    ])
    func readsTheKindFromTheTypeDigits(id: String, kind: GBID.Kind) {
        #expect(GBID(id).kind == kind)
    }

    @Test func playsCamerasAndUnknownTypesButNeverGroupsOrAlarms() {
        let device = "34020000001180000001"
        #expect(GBID("34020000001310000001").isPlayable(onDevice: device))
        #expect(GBID("34020000009990000001").isPlayable(onDevice: device))
        for type in ["134", "135", "136", "137", "200", "215", "216"] {
            #expect(!GBID("3402000000\(type)0000001").isPlayable(onDevice: device))
        }
        #expect(!GBID("340200").isPlayable(onDevice: device))
        #expect(!GBID("340200000013100001").isPlayable(onDevice: device))
    }

    @Test func playsADeviceThatListsItself() {
        let dvr = "34020000001110000001"
        #expect(GBID(dvr).isPlayable(onDevice: dvr))
        #expect(!GBID(dvr).isPlayable(onDevice: "34020000001180000001"))
    }

    @Test func acceptsOddIDsAndRefusesWhatCouldBeSomethingElse() {
        for id in ["130909115229300920", "cam-1_a.b", "34020000001320000001"] { #expect(GBID(id).isAcceptable) }
        for id in ["", "a b", "../etc", "门", String(repeating: "1", count: 65)] { #expect(!GBID(id).isAcceptable) }
    }

    @Test func countsTheDigitsOfAMistypedID() {
        #expect(
            GBID("3402000000132000001").complaint
                == "ID 3402000000132000001 has 19 digits, the standard wants 20 digits"
        )
        #expect(GBID("34020000001320000001").complaint == nil)
        #expect(GBID("3402000000132000000x").complaint?.contains("not digits") == true)
    }

    @Test func derivesTheDomainFromTheFirstTenDigits() {
        #expect(GBID("34020000002000000001").domain == "3402000000")
    }
}
