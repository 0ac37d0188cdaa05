"""Events from outside AWS."""
import base64
import hashlib
import json

from client import client, done, refused, rows

api, data = client(), client(service="cloudtrail-data")
selectors = [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["ActivityAuditLog"]}]}]
arn = api.create_event_data_store(Name="outside", AdvancedEventSelectors=selectors, TerminationProtectionEnabled=False)["EventDataStoreArn"]
to = [{"Type": "EVENT_DATA_STORE", "Location": arn}]
channel = api.create_channel(Name="badges", Source="Custom", Destinations=to, Tags=[{"Key": "door", "Value": "front"}])["ChannelArn"]
refused("ChannelAlreadyExistsException", api.create_channel, Name="badges", Source="Custom", Destinations=to)
default = next(s["EventDataStoreArn"] for s in api.list_event_data_stores()["EventDataStores"] if s["Name"] == "default")
wrong = [{"Type": "EVENT_DATA_STORE", "Location": default}]
refused("InvalidEventDataStoreCategoryException", api.create_channel, Name="wrong", Source="Custom", Destinations=wrong)
assert api.list_channels()["Channels"] == [{"ChannelArn": channel, "Name": "badges"}]
assert api.get_channel(Channel=channel)["Destinations"] == to
assert api.update_channel(Channel=channel, Name="doors")["Name"] == "doors"
assert api.list_tags(ResourceIdList=[channel])["ResourceTagList"][0]["TagsList"] == [{"Key": "door", "Value": "front"}]


def event(number, **more):
    said = {
        "version": "1.0",
        "userIdentity": {"type": "Person", "principalId": f"p{number}", "details": {"badge": "12"}},
        "eventSource": "doors.example",
        "eventName": "DoorOpened",
        "eventTime": "2026-05-06T07:08:09Z",
        "UID": f"u{number}",
        "requestParameters": {"door": f"d{number}"},
        "sourceIPAddress": "10.0.0.1",
        "recipientAccountId": "000000000000",
        **more,
    }
    text = json.dumps({name: value for name, value in said.items() if value is not None})
    return {"id": f"e{number}", "eventData": text, "eventDataChecksum": base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}


put = data.put_audit_events(channelArn=channel, auditEvents=[event(n) for n in range(100)])
assert len(put["successful"]) == 100 and not put["failed"], put
bad = [event(1, UID=None), event(2, eventTime="noon"), {**event(3), "eventDataChecksum": "x"}, {"id": "e4", "eventData": "{"}, event(5)]
put = data.put_audit_events(channelArn=channel, auditEvents=bad)
assert [f["errorCode"] for f in put["failed"]] == ["FieldNotFound", "InvalidData", "InvalidChecksum", "InvalidData"], put
assert [s["id"] for s in put["successful"]] == ["e5"]
refused("DuplicatedAuditEventId", data.put_audit_events, channelArn=channel, auditEvents=[event(1), event(1)])
refused("InvalidChannelARN", data.put_audit_events, channelArn="arn:aws:s3:::x", auditEvents=[event(1)])
refused("ChannelNotFound", data.put_audit_events, channelArn=channel[:-4] + "0000", auditEvents=[event(1)])
assert rows(api, "SELECT count(*) FROM outside") == [["101"]] == rows(api, "SELECT count(*) FROM $INTEGRATION_EDS_ID")
found = rows(
    api,
    "SELECT eventData.userIdentity.principalId, eventData.eventName, eventTime, element_at(eventData.requestParameters, 'door'), metadata.channelarn"
    f" FROM {arn.rsplit('/', 1)[1]} WHERE eventData.UID = 'u7'",
)
assert found == [["p7", "DoorOpened", "2026-05-06 07:08:09.000", "d7", channel]], found
refused("ChannelExistsForEDSException", api.delete_event_data_store, EventDataStore=arn)
api.delete_channel(Channel=channel)
refused("ChannelNotFoundException", api.get_channel, Channel=channel)
api.delete_event_data_store(EventDataStore=arn)
done()
